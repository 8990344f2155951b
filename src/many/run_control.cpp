#include "many/run_control.hpp"

#include <csignal>

#include "server/memory.hpp"
#include "connection/interruptible_wait.hpp"
#include "ledger/ledger.hpp"
#include "run/run_scope.hpp"
#include "many/worker_pool.hpp"
#include "many/worker_slots.hpp"

namespace pgci {

namespace {

// Waits a moment, because the worker of a run that has just ended may still have its slot.
void await_free_slot() {
    constexpr int most_rests = 50;
    for (int i = 0; i < most_rests && most_workers() > 0 && count_free_slots(1) == 0; ++i) wait_milliseconds(20);
}

} // namespace

std::int64_t start_run(Oid schema, std::int64_t job_id, Span span) {
    check_may_write();
    const std::int64_t run_id = Ledger(schema).draw_run_id();
    await_free_slot();
    WorkerPool pool(
        {.work = WorkerTask::run, .schema = schema, .windows = {{.job_id = job_id, .span = span}}, .run_id = run_id});
    if (pool.size() == 0) raise_no_free_slot();
    if (!pool.next()) {
        if (const std::optional<RunFailure> reason = pool.take_last_words()) raise(*reason);
        raise(SqlState("57P01"), "the background worker ended before the run began", "See the log of the server.");
    }
    pool.release();
    return run_id;
}

namespace {

// Marks crashed runs in a transaction of its own: the transaction of the caller may fail, or stay open and block others. Does
// nothing if no worker is free; the next call marks the runs.
void mark_crashed_by_worker(Oid schema) {
    WorkerPool pool({.work = WorkerTask::mark_crashed, .schema = schema});
    while (pool.next()) {
    }
}

} // namespace

bool wait_for_run(Oid schema, std::int64_t run_id, std::optional<std::int64_t> milliseconds) {
    const Ledger ledger(schema);
    const TimestampTz start = GetCurrentTimestamp();
    for (std::int64_t pause = 10;; pause = std::min<std::int64_t>(pause * 2, 500)) {
        const TemporaryMemory memory;
        const bool has_process = ledger.find_process(run_id) != 0;
        RunState state = ledger.find_run(run_id);
        if (state.status == "failed") {
            state.failure.context = "run " + std::to_string(run_id);
            raise(state.failure);
        }
        // A standby sees the ledger of the primary, but not its processes.
        const bool has_crashed = state.status == "running" && !has_process && !RecoveryInProgress();
        if (has_crashed) mark_crashed_by_worker(schema);
        if (has_crashed || state.status == "crashed")
            raise(sqlstate::crashed, "run " + std::to_string(run_id) + " crashed", "Start it again.",
                  "The server or the background worker ended before the run did. Nothing of it was written.");
        if (state.status != "running") return true;
        if (milliseconds) {
            const std::int64_t left = *milliseconds - (GetCurrentTimestamp() - start) / 1000;
            if (left <= 0) return false;
            pause = std::min(pause, left);
        }
        wait_milliseconds(pause);
    }
}

bool cancel_run(Oid schema, std::int64_t run_id) {
    if (RecoveryInProgress())
        raise(sqlstate::read_only_transaction, "cannot cancel a run during recovery", "Cancel it on the primary.");
    const Ledger ledger(schema);
    const bool is_running = ledger.find_run(run_id).status == "running";
    const int process = is_running ? ledger.find_process(run_id) : 0;
    // As pg_cancel_backend() does. find_run() has checked the privilege.
    if (process != 0) return kill(process, SIGINT) == 0;
    if (is_running) mark_crashed_by_worker(schema);
    return false;
}

} // namespace pgci
