#include "many/worker_pool.hpp"

#include "server/memory.hpp"
#include "many/worker_slots.hpp"

namespace pgci {

namespace {

RunFailure ended_early() {
    return {.code = ERRCODE_ADMIN_SHUTDOWN, .message = "the background worker ended before the window was loaded"};
}

} // namespace

WorkerPool::WorkerPool(const WorkerOrder &order) {
    const Size windows_size = order.windows.size() * sizeof(WindowTask);
    const Size stopped_size = order.jobs * sizeof(pg_atomic_uint32);
    const Size returned_size = order.windows.size() * sizeof(pg_atomic_uint32);
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
        for (const Size size :
             {sizeof(SegmentHeader), settings_size, windows_size, stopped_size, returned_size, queues_size})
            shm_toc_estimate_chunk(&estimator, size);
        shm_toc_estimate_keys(&estimator, 6);
        const Size size = shm_toc_estimate(&estimator);
        shared_.segment = dsm_create(size, 0);
        // The segment is used by several transactions of a procedure.
        dsm_pin_mapping(shared_.segment);
        on_dsm_detach(shared_.segment, stop, PointerGetDatum(shared_.state));
        shm_toc *const toc = shm_toc_create(segment_magic, dsm_segment_address(shared_.segment), size);

        auto *const header = static_cast<SegmentHeader *>(shm_toc_allocate(toc, sizeof(SegmentHeader)));
        *header = SegmentHeader{.identity = current_identity(),
                                .work = order.work,
                                .schema = order.schema,
                                .jobs = order.jobs,
                                .windows = static_cast<uint32>(order.windows.size()),
                                .next = {},
                                .run_id = order.run_id,
                                .working = {},
                                .returned_count = {}};
        for (pg_atomic_uint32 *const number : {&header->next, &header->working, &header->returned_count})
            pg_atomic_init_u32(number, 0);
        shm_toc_insert(toc, part_header, header);
        auto *const settings = static_cast<char *>(shm_toc_allocate(toc, settings_size));
        save_session_settings(settings_size, settings);
        shm_toc_insert(toc, part_settings, settings);
        auto *const tasks = static_cast<WindowTask *>(shm_toc_allocate(toc, windows_size));
        std::copy(order.windows.begin(), order.windows.end(), tasks);
        shm_toc_insert(toc, part_windows, tasks);
        auto *const stopped = static_cast<pg_atomic_uint32 *>(shm_toc_allocate(toc, stopped_size));
        for (std::uint32_t i = 0; i < order.jobs; ++i) pg_atomic_init_u32(&stopped[i], 0);
        shm_toc_insert(toc, part_stopped, stopped);
        auto *const returned = static_cast<pg_atomic_uint32 *>(shm_toc_allocate(toc, returned_size));
        for (std::size_t i = 0; i < order.windows.size(); ++i) pg_atomic_init_u32(&returned[i], 0);
        shm_toc_insert(toc, part_returned, returned);
        windows_ = {.header = header, .tasks = tasks, .stopped = stopped, .returned = returned};
        auto *const queues = static_cast<char *>(shm_toc_allocate(toc, queues_size));
        shm_toc_insert(toc, part_queues, queues);
        for (int i = 0; i < order.workers; ++i)
            shm_mq_set_receiver(shm_mq_create(queues + queue_size * static_cast<Size>(i), queue_size), MyProc);
    });
    workers_.reserve(static_cast<std::size_t>(order.workers));
    const int allowed = count_free_slots(order.workers);
    for (int i = 0; i < allowed && size() == i; ++i) launch();
}

// Launches the next worker if a slot is free.
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

// Called when this session detaches from the segment for any reason, including a FATAL error.
void WorkerPool::stop(dsm_segment *, Datum argument) {
    auto *const state = reinterpret_cast<State *>(DatumGetPointer(argument));
    for (int i = 0; i < state->launched; ++i) TerminateBackgroundWorker(state->handles[i]);
}

void WorkerPool::release() { shared_.state->launched = 0; }

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
                    if (!worker.in_hand) {
                        if (worker.last_words) last_words_ = worker.last_words;
                        break;
                    }
                    WorkerMessage lost = *worker.in_hand;
                    lost.kind = MessageKind::ended;
                    lost.result.end = WindowEnd::failed;
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
                worker.in_hand.reset();
                if (message->kind != MessageKind::began) return message;
                worker.in_hand = message;
            }
            all_have_ended = all_have_ended && worker.has_ended;
        }
        if (all_have_ended) return std::nullopt;
        pg_call([] {
            constexpr long longest_wait = 1000; // milliseconds, in case a wake-up is lost
            (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, longest_wait, PG_WAIT_EXTENSION);
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        });
    }
}

// Handles PostgreSQL's own messages: sends a notice to the client, keeps an error.
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
