#include "many/window_run.hpp"

#include <chrono>

#include "server/subtransaction.hpp"
#include "connection/conninfo.hpp"
#include "connection/interruptible_wait.hpp"
#include "ledger/coverage.hpp"
#include "ledger/ledger.hpp"
#include "ledger/rejected_rows.hpp"
#include "ledger/run_lock.hpp"
#include "run/copy_window.hpp"
#include "run/repair.hpp"

namespace pgci {

void load_window(Oid schema, const WindowTask &task, ConnectionKeeper &keeper, WindowResult &result,
                 std::optional<Job> &known_job) {
    result.stops_job = true; // for errors before the window is loaded
    const Jobs jobs(schema);
    known_job = jobs.find(task.job_id);
    const Job &job = *known_job;
    CopyRequest request = jobs.request_of(job);
    request.span = task.span;
    if (!task.looks_back) request.lookback = 0;
    if (task.repairs) request = repair_of(request, Deletes::apply);
    request.is_one_of_many = true;
    request.snapshot = task.snapshot;
    request.settled_before = task.settled_before;
    request.refuses_unsettled = request.mode == Mode::append && !task.repairs;
    // A call may have loaded it, or another session while this one waits for it.
    if (!task.is_again && request.on_rerun == OnRerun::error) request.on_rerun = OnRerun::skip;
    result.stops_job = false;
    if (!mark_windows(job.id, job.grid(), task.span)) {
        result.end = WindowEnd::is_busy;
        return;
    }
    const std::vector<Span> gaps =
        task.is_again ? std::vector{task.span} : uncovered(task.span, find_tried_windows(schema, job));
    // Another call may have loaded the ids that were settled before.
    if (job.kind() == WindowKind::ids && !gaps.empty()) request.span = gaps.front();
    if (gaps.empty()) {
        result.end = WindowEnd::was_loaded;
    } else {
        result.rows_written = copy_window(request, &keeper);
    }
}

bool stops_jobs(const RunFailure &failure, const std::optional<Job> &job) {
    // A job that has found no target yet
    if (failure.code == sqlstate::undefined_table.packed() && job && !OidIsValid(job->target)) return true;
    return failure.code == sqlstate::connection_failed.packed() ||
           failure.code == sqlstate::connection_refused.packed() ||
           failure.code == sqlstate::too_many_connections.packed() || has_lost_snapshot(failure);
}

std::optional<RunFailure> try_and_commit(const TransactionChain &transactions, Runner runner,
                                         const std::function<void()> &work) {
    // Free all memory of the work at its end, because a call may load thousands of windows.
    const MemoryContext memory = pg_call(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "copy_incremental window", ALLOCSET_DEFAULT_SIZES); });
    const MemoryContext caller = MemoryContextSwitchTo(memory);
    std::optional<RunFailure> failure;
    try {
        failure = in_subtransaction(work);
    } catch (const PgError &error) {
        if (runner == Runner::session) throw;
        failure = describe_error(error.data());
    } catch (...) {
        failure = describe_failure();
    }
    // The commit checks deferred constraints.
    if (!failure) failure = transactions.try_commit();
    MemoryContextSwitchTo(caller);
    pg_call([=] { MemoryContextDelete(memory); });
    return failure;
}

namespace {

// Returns the source, if it can be determined.
SourceIdentity find_source(const Jobs &jobs, const Job &job) {
    SourceIdentity source;
    const std::optional<RunFailure> failure =
        in_subtransaction([&] { source = identify_source(resolve_source(jobs.source_of(job))); });
    return failure ? SourceIdentity{.name = "unknown"} : source;
}

void say_retry(const FailedAttempt &attempt, long milliseconds) {
    const std::string window = attempt.job.window(attempt.span).name();
    const double seconds = static_cast<double>(milliseconds) / 1000;
    pg_call([&] {
        ereport(NOTICE,
                (errmsg("job \"%s\": window %s failed, retry %d of %d follows in %.1f s", attempt.job.name.c_str(),
                        window.c_str(), attempt.number, attempt.job.request.retries, seconds),
                 errdetail("The error was: %s (SQLSTATE %s).", attempt.failure.message.c_str(),
                           attempt.failure.sqlstate().c_str())));
    });
}

void wait_for(long milliseconds) {
    const Deadline deadline{std::chrono::milliseconds(milliseconds)};
    while (!deadline.has_passed()) wait_milliseconds(deadline.left(longest_wait));
}

WindowResult try_window(Oid schema, const WindowTask &task, const TransactionChain &transactions, Runner runner,
                        ConnectionKeeper &keeper, std::optional<Job> &job) {
    WindowResult result;
    result.started_at = GetCurrentTimestamp();
    result.failure = try_and_commit(transactions, runner, [&] { load_window(schema, task, keeper, result, job); });
    if (result.failure) {
        result.end = WindowEnd::failed;
        result.rows_written = 0;
        if (stops_jobs(*result.failure, job)) result.stops_job = true;
    }
    result.ended_at = GetCurrentTimestamp();
    return result;
}

} // namespace

std::optional<RunFailure> pause_before_retry(Oid schema, const FailedAttempt &attempt, long milliseconds,
                                             const TransactionChain &transactions, Runner runner) {
    transactions.commit();
    record_failure(schema, attempt.job, attempt.span, attempt.started_at, attempt.failure);
    transactions.rest();
    say_retry(attempt, milliseconds);
    return wait_to_retry(
        {.target = attempt.job.target, .job_id = attempt.job.id, .window = attempt.job.window(attempt.span)},
        milliseconds, transactions, runner);
}

std::optional<RunFailure> wait_to_retry(const ProgressFacts &facts, long milliseconds,
                                        const TransactionChain &transactions, Runner runner) {
    std::optional<RunFailure> cancel;
    try {
        (void)in_subtransaction([&] {
            const ShownWait shown(facts, Activity::waits_to_retry);
            wait_for(milliseconds);
        });
    } catch (...) {
        if (runner == Runner::session) throw;
        cancel = describe_failure();
    }
    transactions.commit();
    return cancel;
}

WindowResult run_window(Oid schema, const WindowTask &task, const TransactionChain &transactions, Runner runner,
                        ConnectionKeeper &keeper, Retries &retries, const std::function<bool()> &give_back) {
    for (int attempts = 1;; ++attempts) {
        std::optional<Job> job;
        WindowResult result = try_window(schema, task, transactions, runner, keeper, job);
        if (!result.failure || !job) return result;
        if (result.failure->code == sqlstate::too_many_connections.packed() && give_back && give_back()) {
            result.end = WindowEnd::given_back;
            result.stops_job = false;
            return result;
        }
        const std::optional<long> pause = retries.pause_after(*result.failure, *job, attempts);
        if (!pause) return result;
        keeper.close();
        std::optional<RunFailure> cancel = pause_before_retry(
            schema, {*job, task.span, result.started_at, attempts, *result.failure}, *pause, transactions, runner);
        if (!cancel) continue;
        result.failure = std::move(cancel);
        return result;
    }
}

void record_failure(Oid schema, const Job &job, std::optional<Span> span, TimestampTz started_at,
                    const RunFailure &failure) {
    const CopyRequest &request = job.request;
    RunKey key{.target = job.target,
               .source = find_source(Jobs(schema), job),
               .query_hash = hash_query(request),
               .job_id = job.id};
    if (span) key.window = job.window(*span);
    Ledger(schema).record_failure(key, request.recorded_mode(), word_of(request.method), started_at, failure);
}

} // namespace pgci
