// The arguments of the functions around runs: backfill, start, wait, cancel, forget, missing.
#pragma once

#include <vector>

#include "server/text_rows.hpp"

namespace pgci {

// copy_incremental_start(), _wait(run_id, timeout), _cancel(run_id), by run_control. The wait's timeout is an interval,
// whose NULL is no limit; a negative one is 22023.
std::int64_t start_run(FunctionCallInfo fcinfo);
bool wait_for_run(FunctionCallInfo fcinfo);
bool cancel_run(FunctionCallInfo fcinfo);

// Raises 2D000 where a procedure must not commit: inside a transaction block, or called by a function.
void check_may_commit(FunctionCallInfo fcinfo);

// copy_incremental_forget(target, first_day, last_day, job), by ledger/forget. NULL is no bound.
std::int64_t forget_windows(FunctionCallInfo fcinfo);

// copy_incremental_missing(job, first_day, last_day): the day and the interval of each window that a backfill of these days would
// load, in their order. Raises 22004, 22008, 22023 for the arguments, 42704 and 42501 as Jobs::find does.
std::vector<TextRow> find_missing_windows(FunctionCallInfo fcinfo);

// copy_incremental_grant(role): grants EXECUTE on every function and procedure of the extension that is no internal one. Raises
// 42501 where the current user may not grant one.
void grant_verbs(FunctionCallInfo fcinfo);

// copy_incremental_catch_up(job, workers) and _backfill(job, first_day, last_day, workers, reprocess), by catch_up and backfill.
// Raise 22004 and 22023 for arguments, 22008 for days.
void catch_up(FunctionCallInfo fcinfo);
void backfill(FunctionCallInfo fcinfo);

} // namespace pgci
