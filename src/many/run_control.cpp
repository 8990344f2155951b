#include "many/run_control.hpp"

#include <csignal>

#include "server/temporary_memory.hpp"
#include "ledger/ledger.hpp"
#include "run/run_scope.hpp"
#include "many/worker_pool.hpp"

namespace pgci {

std::int64_t start_run(Oid schema, const PortableCall &call) {
    check_may_write();
    const Ledger ledger(schema);
    ledger.mark_crashed();
    const std::int64_t run_id = ledger.draw_run_id();
    WorkerPool pool({.task = WorkerTask::run, .call = call, .run_id = run_id});
    if (pool.size() == 0)
        raise(sqlstate::out_of_descriptors, "no background worker slot is free",
              "Raise max_worker_processes, or wait until other workers have ended.");
    if (!pool.next()) {
        if (const std::optional<RunFailure> reason = pool.take_last_words()) raise(*reason);
        raise(sqlstate::object_in_use, "the background worker ended before the run began", "See the server's log.");
    }
    pool.release();
    return run_id;
}

namespace {

// In a transaction of its own, because the caller is about to raise an error.
void mark_crashed_by_worker(const PortableCall &call) {
    WorkerPool pool({.task = WorkerTask::mark_crashed, .call = call});
    while (pool.next()) {
    }
}

} // namespace

bool wait_for_run(Oid schema, std::int64_t run_id, std::optional<std::int64_t> milliseconds, const PortableCall &call) {
    const Ledger ledger(schema);
    const TimestampTz start = GetCurrentTimestamp();
    for (std::int64_t pause = 10;; pause = std::min<std::int64_t>(pause * 2, 500)) {
        const TemporaryMemory memory;
        const bool has_process = ledger.find_process(run_id) != 0;
        const RunState state = ledger.find_run(run_id);
        if (state.status == "failed") raise(state.failure);
        const bool has_crashed = state.status == "running" && !has_process;
        if (has_crashed) mark_crashed_by_worker(call);
        if (has_crashed || state.status == "crashed")
            raise(sqlstate::crashed, "run " + std::to_string(run_id) + " crashed", "Start it again.",
                  "The server or the background worker ended before the run did. Nothing of it was written.");
        if (state.status != "running") return true;
        if (milliseconds) {
            const std::int64_t left = *milliseconds - (GetCurrentTimestamp() - start) / 1000;
            if (left <= 0) return false;
            pause = std::min(pause, left);
        }
        pg_call([=] {
            (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, static_cast<long>(pause),
                            PG_WAIT_EXTENSION);
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        });
    }
}

bool cancel_run(Oid schema, std::int64_t run_id) {
    const Ledger ledger(schema);
    const RunState state = ledger.find_run(run_id);
    const int process = state.status == "running" ? ledger.find_process(run_id) : 0;
    ledger.mark_crashed();
    // As pg_cancel_backend() does it; the right to was checked by the run's user.
    return process != 0 && kill(process, SIGINT) == 0;
}

} // namespace pgci
