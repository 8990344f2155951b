// The background worker, from its start to its end:
//
//     attach to the segment --> become the session: user, role, settings --> read the arguments, say "ready"
//         --> backfill: take a day, say "began", copy it in a transaction, say "ended"; until no day is left
//
//     a run of copy_incremental_start(): check the request, commit its entry "running" in the ledger, say "ready", with
//     which the leader lets go of it --> copy the window --> commit its entry as "succeeded" or "failed"
//
// An error before "ready", and a FATAL one at any time, goes to the leader as PostgreSQL's own message and ends the
// worker. SIGTERM ends it at the next interrupt; the leader sends it when it ends, however it does. What runs at the
// source is cancelled on the way out, as in any session.
#include "many/background_worker.hpp"

#include "server/extension.hpp"
#include "server/memory.hpp"
#include "server/settings.hpp"
#include "server/subtransaction.hpp"
#include "request/copy_arguments.hpp"
#include "run/copy_window.hpp"
#include "many/day_run.hpp"
#include "many/portable_call.hpp"
#include "many/worker_protocol.hpp"
#include "many/worker_slots.hpp"

namespace pgci {

namespace {

// What the worker has of the segment. Plain data, because errors before the C++ part of the worker jump over it.
struct WorkerView {
    SegmentHeader *header;
    const DateADT *days;
    const char *arguments; // a copy of the worker's own
};

// Attaches, connects, becomes the session. No C++ object is alive here. Null where the leader is gone.
WorkerView *become_session(Datum handle) {
    dsm_segment *const segment = dsm_attach(DatumGetUInt32(handle));
    if (segment == nullptr) return nullptr;
    shm_toc *const toc = shm_toc_attach(segment_magic, dsm_segment_address(segment));
    if (toc == nullptr) return nullptr;
    auto *const view = static_cast<WorkerView *>(palloc0(sizeof(WorkerView)));
    view->header = static_cast<SegmentHeader *>(shm_toc_lookup(toc, part_header, false));
    view->days = static_cast<const DateADT *>(shm_toc_lookup(toc, part_days, false));

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
    auto *const arguments = static_cast<char *>(palloc(view->header->arguments_size));
    std::memcpy(arguments, shm_toc_lookup(toc, part_arguments, false), view->header->arguments_size);
    view->arguments = arguments;
    return view;
}

// The transactions of a worker: one is always open.
class WorkerTransactions : public TransactionChain {
  public:
    explicit WorkerTransactions(const SessionIdentity &identity) : identity_(identity), memory_(CurrentMemoryContext) {
        pg_call([this] { begin(); }, memory_);
    }

    void commit() const override {
        const MemoryContext caller = CurrentMemoryContext;
        pg_call(
            [this] {
                end();
                begin();
            },
            memory_);
        MemoryContextSwitchTo(caller);
    }

    std::optional<RunFailure> try_commit() const override {
        const MemoryContext caller = CurrentMemoryContext;
        try {
            commit();
            return std::nullopt;
        } catch (...) {
            RunFailure failure = describe_failure();
            pg_call(
                [this] {
                    AbortCurrentTransaction();
                    pgstat_report_stat(true);
                    begin();
                },
                memory_);
            MemoryContextSwitchTo(caller);
            return failure;
        }
    }

    // After the last one.
    void finish() const {
        pg_call([this] { end(); }, memory_);
    }

  private:
    // As for a statement of a client: now() is its time, and its statistics are known when it has ended.
    void begin() const {
        SetCurrentStatementStartTimestamp();
        StartTransactionCommand();
        take_identity(identity_);
        PushActiveSnapshot(GetTransactionSnapshot());
        MemoryContextSwitchTo(memory_);
    }
    void end() const {
        PopActiveSnapshot();
        CommitTransactionCommand();
        pgstat_report_stat(true);
        MemoryContextSwitchTo(memory_);
    }

    const SessionIdentity &identity_;
    MemoryContext memory_;
};

// What pg_stat_activity has as the worker's query; application_name is that of the session.
void show_activity(const std::string &text) {
    const std::string activity = "copy_incremental: " + text;
    const char *const query = activity.c_str();
    pg_call([=] { pgstat_report_activity(STATE_RUNNING, query); });
}

std::string relation_name(Oid relation) {
    const char *const name = pg_call([=] { return get_rel_name(relation); });
    return name != nullptr ? name : "a table that was dropped";
}

void copy_days(const WorkerView &view, const WorkerTransactions &transactions, WorkerSlot &slot) {
    SegmentHeader &header = *view.header;
    FunctionCallInfo const fcinfo = pg_call([&] { return unpack_call(header.function, view.arguments); });
    CopyRequest request = make_day_request(read_copy_arguments(fcinfo), header.target);
    send_to_leader({.kind = MessageKind::ready});
    transactions.commit();
    const std::string table = relation_name(header.target);
    for (;;) {
        const std::uint32_t place = pg_atomic_fetch_add_u32(&header.next_day, 1);
        if (place >= header.days) return;
        const TemporaryMemory memory;
        request.day = view.days[place];
        const DateADT day = *request.day;
        const char *const text =
            pg_call([=] { return DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum(day))); });
        show_activity(std::string(text) + " into " + table);
        WorkerMessage message{.kind = MessageKind::began, .day = place};
        message.result.started_at = GetCurrentTimestamp();
        send_to_leader(message);
        message = {
            .kind = MessageKind::ended, .day = place, .result = run_day(request, transactions, DayRunner::worker)};
        send_to_leader(message);
        // A day that failed has not ended its transaction, and may have lost a lock.
        if (!message.result.failure) continue;
        transactions.commit();
        slot.keep();
    }
}

// The check must not wait for a lock of the transaction that waits for it.
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

// The run is all that the worker does: what ends it, a cancel too, is its result, after its work was rolled back.
std::optional<RunFailure> copy_whole_run(const CopyRequest &request) {
    try {
        return in_subtransaction([&] { copy_window(request); });
    } catch (...) {
        return describe_failure();
    }
}

void copy_run(const WorkerView &view, const WorkerTransactions &transactions) {
    const SegmentHeader &header = *view.header;
    const std::int64_t run_id = header.run_id;
    FunctionCallInfo const fcinfo = pg_call([&] { return unpack_call(header.function, view.arguments); });
    CopyRequest request = read_copy_arguments(fcinfo);
    const std::string run = "run " + std::to_string(run_id);
    show_activity(run);
    RunKey key = check_without_long_waits(request);
    show_activity((key.window ? key.window->name() : std::string("the whole result")) + " into " +
                  relation_name(key.target) + ", " + run);
    request.target = key.target;
    request.run_id = run_id;
    const Ledger ledger(request.schema);
    ledger.mark_crashed();
    const RunLife life(run_id);
    ledger.begin(key, word_of(request.mode), word_of(request.method), run_id);
    transactions.commit();
    send_to_leader({.kind = MessageKind::ready});
    whereToSendOutput = DestNone;

    if (StatementTimeout > 0) enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
    std::optional<RunFailure> failure = copy_whole_run(request);
    if (!failure) failure = transactions.try_commit();
    if (StatementTimeout > 0) disable_timeout(STATEMENT_TIMEOUT, false);
    if (!failure) return;
    ledger.fail(run_id, *failure);
    transactions.commit();
}

void mark_crashed(const WorkerView &view) {
    const Oid function = view.header->function;
    Ledger(pg_call([=] { return get_func_namespace(function); })).mark_crashed();
}

} // namespace

void run_worker(Datum handle) {
    WorkerView *const view = become_session(handle);
    if (view == nullptr) return;
    sql_boundary([&] {
        const WorkerTransactions transactions(view->header->identity);
        check_extension();
        WorkerSlot slot;
        switch (view->header->task) {
        case WorkerTask::backfill:
            copy_days(*view, transactions, slot);
            break;
        case WorkerTask::run:
            copy_run(*view, transactions);
            break;
        case WorkerTask::mark_crashed:
            show_activity("runs that have crashed");
            mark_crashed(*view);
            break;
        }
        transactions.finish();
        pgstat_report_activity(STATE_IDLE, nullptr);
        return Datum{0};
    });
}

} // namespace pgci
