#include "many/window_run.hpp"

#include "server/subtransaction.hpp"
#include "connection/conninfo.hpp"
#include "ledger/coverage.hpp"
#include "ledger/ledger.hpp"
#include "ledger/rejected_rows.hpp"
#include "ledger/run_lock.hpp"
#include "run/copy_window.hpp"
#include "run/repair.hpp"

namespace pgci {

namespace {

void load(Oid schema, const WindowTask &task, ConnectionKeeper &keeper, WindowResult &result) {
    result.stops_job = true; // for errors before the window is loaded
    const Jobs jobs(schema);
    const Job job = jobs.find(task.job_id);
    CopyRequest request = jobs.request_of(job);
    request.data_interval = task.span;
    if (!task.looks_back) request.lookback = 0;
    if (task.repairs) request = repair_of(request, Deletes::apply);
    request.is_one_of_many = true;
    request.refuses_unsettled = request.mode == Mode::append && !task.repairs;
    // A call may have loaded it, or another session while this one waits for it.
    if (!task.is_again && request.on_rerun == OnRerun::error) request.on_rerun = OnRerun::skip;
    result.stops_job = false;
    if (!mark_windows(job.id, {task.span})) {
        result.end = WindowEnd::is_busy;
    } else if (!task.is_again && uncovered(task.span, find_tried_windows(schema, job.id)).empty()) {
        result.end = WindowEnd::was_loaded;
    } else {
        result.rows_written = copy_window(request, &keeper);
    }
}

// Loads the window. An exception is the result of the window: it is returned after the work was rolled back.
std::optional<RunFailure> try_to_load(Oid schema, const WindowTask &task, Runner runner, ConnectionKeeper &keeper,
                                      WindowResult &result) {
    try {
        return in_subtransaction([&] { load(schema, task, keeper, result); });
    } catch (const PgError &error) {
        if (runner == Runner::session) throw;
        return describe_error(error.data());
    } catch (...) {
        return describe_failure();
    }
}

// Returns the source, if it can be determined.
SourceIdentity find_source(const Jobs &jobs, const Job &job) {
    SourceIdentity source;
    const std::optional<RunFailure> failure =
        in_subtransaction([&] { source = identify_source(resolve_source(jobs.source_of(job))); });
    return failure ? SourceIdentity{.name = "unknown"} : source;
}

} // namespace

WindowResult run_window(Oid schema, const WindowTask &task, const TransactionChain &transactions, Runner runner,
                        ConnectionKeeper &keeper) {
    // Free all memory of the window at its end, because a call may load thousands of windows.
    const MemoryContext memory = pg_call(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "copy_incremental window", ALLOCSET_DEFAULT_SIZES); });
    const MemoryContext caller = MemoryContextSwitchTo(memory);
    WindowResult result;
    result.started_at = GetCurrentTimestamp();
    result.failure = try_to_load(schema, task, runner, keeper, result);
    // The commit checks deferred constraints.
    if (!result.failure) result.failure = transactions.try_commit();
    if (result.failure) {
        result.end = WindowEnd::failed;
        result.rows_written = 0;
        if (result.failure->code == sqlstate::connection_failed.packed()) result.stops_job = true;
    }
    result.ended_at = GetCurrentTimestamp();
    MemoryContextSwitchTo(caller);
    pg_call([=] { MemoryContextDelete(memory); });
    return result;
}

void record_failure(Oid schema, const Job &job, std::optional<TimeSpan> span, TimestampTz started_at,
                    const RunFailure &failure) {
    const CopyRequest &request = job.request;
    RunKey key{.target = job.target,
               .source = find_source(Jobs(schema), job),
               .query_hash = hash_query(request.query_template, request.window_column),
               .job_id = job.id};
    if (span) key.window = Window::of_span(*span, job.zone());
    Ledger(schema).record_failure(key, request.recorded_mode(), word_of(request.method), started_at, failure);
}

} // namespace pgci
