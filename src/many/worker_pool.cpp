#include "many/worker_pool.hpp"

#include "server/memory.hpp"
#include "many/worker_slots.hpp"

namespace pgci {

namespace {

// Copies a part into the segment.
void add_part(shm_toc *toc, SegmentPart part, const void *bytes, Size size) {
    void *const place = shm_toc_allocate(toc, size);
    if (size > 0) std::memcpy(place, bytes, size);
    shm_toc_insert(toc, part, place);
}

RunFailure ended_early() {
    return {.code = ERRCODE_ADMIN_SHUTDOWN, .message = "the background worker ended before the day did"};
}

} // namespace

WorkerPool::WorkerPool(const WorkerOrder &order) {
    const char *const arguments = order.call.arguments.data();
    const Size arguments_size = order.call.arguments.size();
    const DateADT *const days = order.days.data();
    const Size days_size = order.days.size() * sizeof(DateADT);
    pg_call([&] {
        shared_.memory = AllocSetContextCreate(TopMemoryContext, "copy_incremental workers", ALLOCSET_DEFAULT_SIZES);
        shared_.state = static_cast<State *>(MemoryContextAllocZero(shared_.memory, sizeof(State)));
        const Size handles = sizeof(BackgroundWorkerHandle *) * static_cast<Size>(order.workers);
        shared_.state->handles =
            static_cast<BackgroundWorkerHandle **>(MemoryContextAllocZero(shared_.memory, handles));
        const Size settings_size = session_settings_size();
        const Size queues_size = queue_size * static_cast<Size>(order.workers);
        shm_toc_estimator estimator;
        shm_toc_initialize_estimator(&estimator);
        for (const Size size : {sizeof(SegmentHeader), settings_size, arguments_size, days_size, queues_size})
            shm_toc_estimate_chunk(&estimator, size);
        shm_toc_estimate_keys(&estimator, 5);
        const Size size = shm_toc_estimate(&estimator);
        shared_.segment = dsm_create(size, 0);
        // It spans the transactions of a procedure.
        dsm_pin_mapping(shared_.segment);
        on_dsm_detach(shared_.segment, stop, PointerGetDatum(shared_.state));
        shm_toc *const toc = shm_toc_create(segment_magic, dsm_segment_address(shared_.segment), size);

        header_ = static_cast<SegmentHeader *>(shm_toc_allocate(toc, sizeof(SegmentHeader)));
        *header_ = SegmentHeader{.identity = current_identity(),
                                 .task = order.task,
                                 .function = order.call.function,
                                 .arguments_size = arguments_size,
                                 .target = order.target,
                                 .days = static_cast<uint32>(days_size / sizeof(DateADT)),
                                 .next_day = {},
                                 .run_id = order.run_id};
        pg_atomic_init_u32(&header_->next_day, 0);
        shm_toc_insert(toc, part_header, header_);
        auto *const settings = static_cast<char *>(shm_toc_allocate(toc, settings_size));
        save_session_settings(settings_size, settings);
        shm_toc_insert(toc, part_settings, settings);
        add_part(toc, part_arguments, arguments, arguments_size);
        shared_.state->secret = static_cast<char *>(shm_toc_lookup(toc, part_arguments, false));
        shared_.state->secret_size = arguments_size;
        add_part(toc, part_days, days, days_size);
        auto *const queues = static_cast<char *>(shm_toc_allocate(toc, queues_size));
        shm_toc_insert(toc, part_queues, queues);
        for (int i = 0; i < order.workers; ++i)
            shm_mq_set_receiver(shm_mq_create(queues + queue_size * static_cast<Size>(i), queue_size), MyProc);
    });
    workers_.reserve(static_cast<std::size_t>(order.workers));
    const int allowed = count_free_slots(order.workers);
    for (int i = 0; i < allowed && size() == i; ++i) launch();
    wipe_when_read();
}

// Launches the next worker, if there is a slot for it.
void WorkerPool::launch() {
    const int number = size();
    shm_mq_handle *const queue = pg_call([&]() -> shm_mq_handle * {
        const MemoryContext caller = MemoryContextSwitchTo(shared_.memory);
        BackgroundWorker worker{};
        strlcpy(worker.bgw_name, "copy_incremental worker", BGW_MAXLEN);
        strlcpy(worker.bgw_type, "copy_incremental", BGW_MAXLEN);
        worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
        worker.bgw_start_time = BgWorkerStart_ConsistentState;
        worker.bgw_restart_time = BGW_NEVER_RESTART;
        strlcpy(worker.bgw_library_name, "$libdir/pg_copy_incremental", BGW_MAXLEN);
        strlcpy(worker.bgw_function_name, "copy_incremental_worker", BGW_MAXLEN);
        worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(shared_.segment));
        worker.bgw_notify_pid = MyProcPid;
        std::memcpy(worker.bgw_extra, &number, sizeof number);
        BackgroundWorkerHandle *handle = nullptr;
        shm_mq_handle *attached = nullptr;
        if (RegisterDynamicBackgroundWorker(&worker, &handle)) {
            shared_.state->handles[shared_.state->launched++] = handle;
            shm_toc *const toc = shm_toc_attach(segment_magic, dsm_segment_address(shared_.segment));
            auto *const queues = static_cast<char *>(shm_toc_lookup(toc, part_queues, false));
            attached = shm_mq_attach(reinterpret_cast<shm_mq *>(queues + queue_size * static_cast<Size>(number)),
                                     shared_.segment, handle);
        }
        MemoryContextSwitchTo(caller);
        return attached;
    });
    if (queue != nullptr) workers_.push_back({.queue = queue});
}

WorkerPool::Shared::~Shared() {
    if (segment != nullptr) dsm_detach(segment);
    if (memory != nullptr) MemoryContextDelete(memory);
}

// However this session lets go of the segment, also by a FATAL error.
void WorkerPool::stop(dsm_segment *, Datum argument) {
    auto *const state = reinterpret_cast<State *>(DatumGetPointer(argument));
    if (state->secret != nullptr) explicit_bzero(state->secret, state->secret_size);
    for (int i = 0; i < state->launched; ++i) TerminateBackgroundWorker(state->handles[i]);
}

void WorkerPool::release() { shared_.state->launched = 0; }

void WorkerPool::wipe_when_read() {
    for (const Worker &worker : workers_)
        if (!worker.is_ready && !worker.has_ended) return;
    if (shared_.state->secret != nullptr) explicit_bzero(shared_.state->secret, shared_.state->secret_size);
    shared_.state->secret = nullptr;
}

std::optional<std::uint32_t> WorkerPool::take_day() {
    const std::uint32_t day = pg_atomic_fetch_add_u32(&header_->next_day, 1);
    return day < header_->days ? std::optional(day) : std::nullopt;
}

std::optional<WorkerMessage> WorkerPool::next() {
    for (;;) {
        bool all_have_ended = true;
        for (Worker &worker : workers_) {
            while (!worker.has_ended) {
                shm_mq_result status{};
                Size size = 0;
                void *bytes = nullptr;
                pg_call([&] { status = shm_mq_receive(worker.queue, &size, &bytes, true); });
                if (status == SHM_MQ_WOULD_BLOCK) break;
                if (status == SHM_MQ_DETACHED) {
                    worker.has_ended = true;
                    wipe_when_read();
                    if (!worker.in_hand) {
                        if (worker.last_words) last_words_ = worker.last_words;
                        break;
                    }
                    WorkerMessage lost = *worker.in_hand;
                    lost.kind = MessageKind::ended;
                    lost.result.ended_at = GetCurrentTimestamp();
                    lost.result.failure = worker.last_words ? *worker.last_words : ended_early();
                    return lost;
                }
                const std::string_view text(static_cast<const char *>(bytes), size);
                std::optional<WorkerMessage> message = read_message(text);
                if (!message) {
                    take_words(worker, text);
                    continue;
                }
                worker.is_ready = true;
                wipe_when_read();
                worker.in_hand.reset();
                if (message->kind != MessageKind::began) return message;
                worker.in_hand = message;
            }
            all_have_ended = all_have_ended && worker.has_ended;
        }
        if (all_have_ended) return std::nullopt;
        pg_call([] {
            constexpr long longest_wait = 1000; // milliseconds, should a wake-up be lost
            (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, longest_wait, PG_WAIT_EXTENSION);
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        });
    }
}

// PostgreSQL's own messages: a notice goes on to the client, an error is kept.
void WorkerPool::take_words(Worker &worker, std::string_view bytes) {
    const TemporaryMemory memory;
    const auto kind = static_cast<MessageKind>(bytes.front());
    if (kind != MessageKind::error && kind != MessageKind::notice) return;
    ErrorData *const error = pg_call([&] {
        auto *const parsed = static_cast<ErrorData *>(palloc0(sizeof(ErrorData)));
        StringInfoData buffer;
        initStringInfo(&buffer);
        appendBinaryStringInfo(&buffer, bytes.data() + 1, static_cast<int>(bytes.size()) - 1);
        pq_parse_errornotice(&buffer, parsed);
        if (kind == MessageKind::notice) ThrowErrorData(parsed);
        return parsed;
    });
    if (kind == MessageKind::error) worker.last_words = describe_error(error);
}

} // namespace pgci
