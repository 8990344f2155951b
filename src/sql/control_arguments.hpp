// The arguments of the functions that manage runs: backfill, repair, start, wait, cancel, forget, missing.
#pragma once

#include <functional>
#include <vector>

#include "server/text_rows.hpp"

namespace pgci {

// copy_incremental_start(), _start_range(), _wait(run_id, timeout) and _cancel(run_id); see run_control. The timeout is an interval. NULL is no
// limit, and a negative one raises 22023.
std::int64_t start_run(FunctionCallInfo fcinfo);
bool wait_for_run(FunctionCallInfo fcinfo);
bool cancel_run(FunctionCallInfo fcinfo);

// copy_incremental_retry_rejects(run_id); see retry_rejects.
std::int64_t retry_rejects(FunctionCallInfo fcinfo);

// Raises 2D000 if the procedure cannot commit: it is in a transaction block, or was called by a function.
void check_may_commit(FunctionCallInfo fcinfo);

// copy_incremental_forget(target, first_day, last_day, job); see ledger/forget. NULL is no bound.
std::int64_t forget_windows(FunctionCallInfo fcinfo);

// copy_incremental_missing(job, first_day, last_day): returns the day, the interval and the status of each window of these days that
// is not complete, in order. Raises 22004, 22008, 22023 for the arguments, 42704 and 42501 as Jobs::find does.
std::vector<TextRow> find_missing_windows(FunctionCallInfo fcinfo);

// copy_incremental_grant(role): grants EXECUTE on every function and procedure of the extension except internal ones, and
// USAGE on its schema. Raises 42501 if the current user may not grant one.
void grant_verbs(FunctionCallInfo fcinfo);

// copy_incremental_catch_up(job, workers) and _backfill(job, first_day, last_day, workers, reprocess); see catch_up and
// backfill. They raise 22004 and 22023 for arguments, and 22008 for days.
void catch_up(FunctionCallInfo fcinfo);
void backfill(FunctionCallInfo fcinfo);

// copy_incremental_repair(job, first_day, last_day, deletes); see repair_windows. Passes the rows of the result to the sink.
void repair(FunctionCallInfo fcinfo, const std::function<void(const TextRow &)> &sink);

} // namespace pgci
