// Loads one of many windows in a transaction of its own. If it fails, the others are not affected.
#pragma once

#include <functional>
#include <optional>

#include "server/run_failure.hpp"
#include "request/source_snapshot.hpp"
#include "connection/connection_keeper.hpp"
#include "ledger/jobs.hpp"
#include "ledger/progress.hpp"
#include "many/retries.hpp"
#include "run/run_scope.hpp"

namespace pgci {

// A window of a job to load. Plain data, also in shared memory.
struct WindowTask {
    std::int64_t job_id = 0;
    std::uint32_t job = 0; // its position among the jobs of the call
    Span span{};
    bool looks_back = false;   // apply the option lookback
    bool is_again = false;     // load it even if it is already loaded
    bool repairs = false;      // write only the rows that differ
    bool follows = false;      // whoever has loaded the window before loads this one, too
    SourceSnapshot snapshot{}; // of the job's group; if it has none, the run takes one
    SettledBefore settled_before = SettledBefore::not_looked; // before that snapshot
};

enum class WindowEnd : char {
    loaded = 'l',
    was_loaded = 'w', // by another session after this call determined the windows
    is_busy = 'b',    // another session is loading it
    failed = 'f',
    given_back = 'g', // the source has no connection for this worker, which ends; another one loads the window
};

struct WindowResult {
    WindowEnd end = WindowEnd::loaded;
    // Whether the other windows of the job would fail in the same way, because the source or the job cannot be used.
    bool stops_job = false;
    TimestampTz started_at = 0;
    TimestampTz ended_at = 0;
    std::int64_t rows_written = 0;
    std::optional<RunFailure> failure{}; // if it failed
};

// Whether the window was not loaded because the snapshot of its group cannot be used any more.
inline bool has_lost_snapshot(const RunFailure &failure) { return failure.code == sqlstate::snapshot_lost.packed(); }
inline bool has_lost_snapshot(const WindowResult &result) {
    return result.failure && has_lost_snapshot(*result.failure);
}
// Whether the source or the target of the job cannot be used, so that the other windows would fail in the same way.
bool stops_jobs(const RunFailure &failure, const std::optional<Job> &job);

// Who loads the window. A cancel of the session ends its call. A cancel of a worker is the result of its current window.
enum class Runner : bool { session, worker };

// Reads the definition of the job, copies the window and commits. If there is an error, nothing of the window is written.
// Does not wait for a session that is loading the same window. In mode append, a window that is known not to be settled
// fails, unless the job has settle => 'off' or 'wait', because it could never be loaded again.
// `keeper` as for copy_window(). After a transient error, it tries again after a pause, as the option `retries` of the job says, and
// records each failed attempt but the last in the ledger.
// If the source accepts no more connections (53300), `give_back` is asked whether another worker can load the window.
WindowResult run_window(Oid schema, const WindowTask &task, const TransactionChain &transactions, Runner runner,
                        ConnectionKeeper &keeper, Retries &retries, const std::function<bool()> &give_back = {});

// Does the work and commits. An error is returned after the work was rolled back and its memory freed; a cancel of a session is
// thrown.
std::optional<RunFailure> try_and_commit(const TransactionChain &transactions, Runner runner,
                                         const std::function<void()> &work);

// Loads the window in the transaction of the caller, which has to roll back after an error. `known_job` becomes the definition of the
// job, as soon as it is known.
void load_window(Oid schema, const WindowTask &task, ConnectionKeeper &keeper, WindowResult &result,
                 std::optional<Job> &known_job);

// An attempt to load a window that has failed.
struct FailedAttempt {
    const Job &job;
    Span span{};
    TimestampTz started_at = 0;
    int number = 0; // from 1 on
    const RunFailure &failure;
};

// Records the attempt, tells the user and waits. During the pause, no lock, snapshot or transaction id is held. In a worker, a cancel
// ends the pause and is returned.
std::optional<RunFailure> pause_before_retry(Oid schema, const FailedAttempt &attempt, long milliseconds,
                                             const TransactionChain &transactions, Runner runner);

// Waits as pause_before_retry() does, and shows the wait in the view of progress.
std::optional<RunFailure> wait_to_retry(const ProgressFacts &facts, long milliseconds,
                                        const TransactionChain &transactions, Runner runner);

// Records a failed run whose own entry, if it had one, was rolled back. The run may have failed before its source and target
// were known. `span` is empty if no window was known.
void record_failure(Oid schema, const Job &job, std::optional<Span> span, TimestampTz started_at,
                    const RunFailure &failure);

} // namespace pgci
