// The background worker, from its start to its end:
//
//     attach to the segment --> take over user, role and settings of the session --> send "ready"
//         --> take a window of a job, send "began", load it in a transaction, send "ended"; repeat until none is left
//
//     for copy_incremental_start(): read the job, check the window, commit its entry "running" in the ledger, send "ready"
//         (the leader returns) --> copy the window --> commit its entry as "succeeded" or "failed"
//
// An error before "ready", and a FATAL error at any time, is sent to the leader as PostgreSQL's own message and ends the
// worker. The leader sends SIGTERM when it ends for any reason, which ends the worker at the next interrupt. As in any
// session, the worker then cancels its query at the source.
#include "many/background_worker.hpp"

#include "server/extension.hpp"
#include "server/memory.hpp"
#include "server/settings.hpp"
#include "server/subtransaction.hpp"
#include "ledger/ledger.hpp"
#include "ledger/run_lock.hpp"
#include "run/copy_window.hpp"
#include "many/window_run.hpp"
#include "many/worker_protocol.hpp"
#include "many/worker_slots.hpp"
#include "many/worker_transactions.hpp"

namespace pgci {

namespace {

// The parts of the segment that the worker uses. Plain data: an ERROR before the C++ part of the worker runs no destructor.
struct WorkerView {
    SegmentHeader *header;
    SharedWindows windows;
};

// Attaches to the segment, connects, and takes over the state of the session. No C++ object is alive here. Returns null if the
// leader has ended.
WorkerView *become_session(Datum handle) {
    dsm_segment *const segment = dsm_attach(DatumGetUInt32(handle));
    if (segment == nullptr) return nullptr;
    shm_toc *const toc = shm_toc_attach(segment_magic, dsm_segment_address(segment));
    if (toc == nullptr) return nullptr;
    auto *const view = static_cast<WorkerView *>(palloc0(sizeof(WorkerView)));
    view->header = static_cast<SegmentHeader *>(shm_toc_lookup(toc, part_header, false));
    view->windows = {.header = view->header,
                     .tasks = static_cast<const WindowTask *>(shm_toc_lookup(toc, part_windows, false)),
                     .stopped = static_cast<pg_atomic_uint32 *>(shm_toc_lookup(toc, part_stopped, false)),
                     .returned = static_cast<pg_atomic_uint32 *>(shm_toc_lookup(toc, part_returned, false))};

    int number = 0;
    std::memcpy(&number, MyBgworkerEntry->bgw_extra, sizeof number);
    auto *const queues = static_cast<char *>(shm_toc_lookup(toc, part_queues, false));
    auto *const queue = reinterpret_cast<shm_mq *>(queues + queue_size * static_cast<Size>(number));
    shm_mq_set_sender(queue, MyProc);
    pq_redirect_to_shm_mq(segment, shm_mq_attach(queue, segment, nullptr));

    const SessionIdentity &identity = view->header->identity;
    connect_as(identity);
    const MemoryContext memory = CurrentMemoryContext;
    StartTransactionCommand();
    restore_session_settings(static_cast<char *>(shm_toc_lookup(toc, part_settings, false)), identity);
    CommitTransactionCommand();
    MemoryContextSwitchTo(memory);
    return view;
}

// Sets the query of the worker in pg_stat_activity. Its application_name is that of the session.
void show_activity(const std::string &text) {
    const std::string activity = "copy_incremental: " + text;
    const char *const query = activity.c_str();
    pg_call([=] { pgstat_report_activity(STATE_RUNNING, query); });
}

std::string relation_name(Oid relation) {
    const char *const name = pg_call([=] { return get_rel_name(relation); });
    return name != nullptr ? name : "a table that was dropped";
}

// Returns the name of the window and of its table, or a text for a job or table that was dropped.
std::string describe_task(Oid schema, const WindowTask &task) {
    std::string text = "a window of a job that was dropped";
    (void)in_subtransaction([&] {
        const Job job = Jobs(schema).find(task.job_id);
        text = job.window(task.span).name() + " into " + relation_name(job.target);
    });
    return text;
}

// The memory of connections that outlive a transaction. A worker that is terminated cancels their queries.
MemoryContext connection_memory() {
    return pg_call([] {
        const MemoryContext memory =
            AllocSetContextCreate(TopMemoryContext, "copy_incremental connections", ALLOCSET_SMALL_SIZES);
        before_shmem_exit([](int, Datum context) { MemoryContextDelete(reinterpret_cast<MemoryContext>(context)); },
                          PointerGetDatum(memory));
        return memory;
    });
}

std::optional<std::uint32_t> next_window(const SharedWindows &windows, std::uint32_t place) {
    const std::optional<std::uint32_t> following = windows.next_after(place);
    return following ? following : windows.take();
}

void load_windows(const WorkerView &view, const WorkerTransactions &transactions, WorkerSlot &slot) {
    const Oid schema = view.header->schema;
    send_to_leader({.kind = MessageKind::ready});
    transactions.commit();
    ConnectionKeeper keeper(connection_memory());
    Retries retries;
    view.windows.join();
    for (std::optional<std::uint32_t> place = view.windows.take(); place; place = next_window(view.windows, *place)) {
        const TemporaryMemory memory;
        const WindowTask &task = view.windows.tasks[*place];
        show_activity(describe_task(schema, task));
        WorkerMessage message{.kind = MessageKind::began, .window = *place};
        message.result.started_at = GetCurrentTimestamp();
        send_to_leader(message);
        message.kind = MessageKind::ended;
        message.result = run_window(schema, task, transactions, Runner::worker, keeper, retries,
                                    [&] { return view.windows.give_back(*place); });
        if (message.result.stops_job) view.windows.stop(task.job);
        if (has_lost_snapshot(message.result)) view.windows.stop_all();
        send_to_leader(message);
        // If the window failed, its transaction is still open, and its rollback may have released the lock of the slot.
        if (!message.result.failure) continue;
        transactions.commit();
        if (message.result.end == WindowEnd::given_back) return;
        slot.keep();
    }
    view.windows.leave();
}

// The transaction that waits for this check may hold a lock that the check needs. So wait for locks for a limited time only.
RunKey check_without_long_waits(const CopyRequest &request) {
    const int level = pg_call([] {
        const int settings = NewGUCNestLevel();
        set_for_level("lock_timeout", "5s");
        return settings;
    });
    RunKey key = check_request(request);
    pg_call([=] { AtEOXact_GUC(true, level); });
    return key;
}

// Copies the window. Any error, and a cancel too, is the result of the run: it is returned after the work was rolled back.
std::optional<RunFailure> copy_whole_run(const CopyRequest &request) {
    try {
        return in_subtransaction([&] { copy_window(request); });
    } catch (...) {
        return describe_failure();
    }
}

// Checks the window and writes the entry "running" to the ledger.
CopyRequest begin_run(const WorkerView &view, const Jobs &jobs, const Job &job) {
    const std::int64_t run_id = view.header->run_id;
    CopyRequest request = jobs.request_of(job);
    request.span = view.windows.tasks[0].span;
    const RunKey key = check_without_long_waits(request);
    show_activity(key.window->name() + " into " + relation_name(key.target) + ", run " + std::to_string(run_id));
    request.target = key.target;
    request.run_id = run_id;
    const Ledger ledger(request.schema);
    ledger.mark_crashed();
    ledger.begin(key, word_of(request.mode), word_of(request.method), run_id);
    return request;
}

void copy_run(const WorkerView &view, const WorkerTransactions &transactions) {
    const SegmentHeader &header = *view.header;
    const std::int64_t run_id = header.run_id;
    const WindowTask &task = view.windows.tasks[0];
    show_activity("run " + std::to_string(run_id));
    const TimestampTz started_at = GetCurrentTimestamp();
    const Jobs jobs(header.schema);
    const Job job = jobs.find(task.job_id);
    const RunLife life(run_id);
    CopyRequest request;
    std::optional<RunFailure> failure = in_subtransaction([&] { request = begin_run(view, jobs, job); });
    if (failure) {
        record_failure(header.schema, job, task.span, started_at, *failure);
        transactions.commit();
        raise(*failure);
    }
    transactions.commit();
    send_to_leader({.kind = MessageKind::ready});
    whereToSendOutput = DestNone;

    Retries retries;
    for (int attempts = 1;; ++attempts) {
        const TimestampTz attempted_at = GetCurrentTimestamp();
        if (StatementTimeout > 0) enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
        failure = copy_whole_run(request);
        if (!failure) failure = transactions.try_commit();
        if (StatementTimeout > 0) disable_timeout(STATEMENT_TIMEOUT, false);
        if (!failure) return;
        const std::optional<long> pause = retries.pause_after(*failure, job, attempts);
        if (!pause) break;
        // The entry of the run stays "running".
        std::optional<RunFailure> cancel = pause_before_retry(
            header.schema, {job, task.span, attempted_at, attempts, *failure}, *pause, transactions, Runner::worker);
        if (cancel) {
            failure = std::move(cancel);
            break;
        }
    }
    Ledger(header.schema).fail(run_id, *failure);
    transactions.commit();
}

} // namespace

void run_worker(Datum handle) {
    WorkerView *const view = become_session(handle);
    if (view == nullptr) return;
    sql_boundary([&] {
        const WorkerTransactions transactions(view->header->identity);
        check_extension();
        WorkerSlot slot;
        switch (view->header->work) {
        case WorkerTask::windows:
            load_windows(*view, transactions, slot);
            break;
        case WorkerTask::run:
            copy_run(*view, transactions);
            break;
        case WorkerTask::mark_crashed:
            show_activity("runs that have crashed");
            Ledger(view->header->schema).mark_crashed();
            break;
        }
        transactions.finish();
        pgstat_report_activity(STATE_IDLE, nullptr);
        return Datum{0};
    });
}

} // namespace pgci
