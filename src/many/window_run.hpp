// One window of many: a transaction of its own, whose failure stops nothing else.
#pragma once

#include <optional>

#include "server/run_failure.hpp"
#include "ledger/jobs.hpp"
#include "ledger/run_key.hpp"
#include "run/run_scope.hpp"

namespace pgci {

// A window of a job that is to be loaded. Plain data, in shared memory too.
struct WindowTask {
    std::int64_t job_id = 0;
    std::uint32_t job = 0; // its place among the jobs of the call
    TimeSpan span{};
    bool looks_back = false; // the days of the option lookback are loaded, too
    bool is_again = false;   // loaded even if it is loaded already
};

enum class WindowEnd : char {
    loaded = 'l',
    was_loaded = 'w', // by another session, since the windows were found
    is_busy = 'b',    // another session is loading it
    failed = 'f',
};

struct WindowResult {
    WindowEnd end = WindowEnd::loaded;
    // Would the other windows of the job fail in the same way? The source cannot be reached, or the job cannot be used.
    bool stops_job = false;
    TimestampTz started_at = 0;
    TimestampTz ended_at = 0;
    std::int64_t rows_written = 0;
    std::optional<RunFailure> failure{}; // of one that failed
};

// Who runs the window. A cancel of the session ends its call; a cancel of a worker is the result of the window that it has in
// hand.
enum class Runner : bool { session, worker };

// Reads the job's definition, copies the window and commits; on an error nothing of it is written. A window that another session
// is loading is left to it. In mode append, a window that is known not to be settled is a failure, unless the job has
// settle => 'ignore' or 'wait': it could never be loaded again.
WindowResult run_window(Oid schema, const WindowTask &task, const TransactionChain &transactions, Runner runner);

// Records a run that failed and whose own entry, if it had one, was rolled back. The run may have failed before its source and
// target were found. No span: before a window was found.
void record_failure(Oid schema, const Job &job, std::optional<TimeSpan> span, TimestampTz started_at,
                    const RunFailure &failure);

} // namespace pgci
