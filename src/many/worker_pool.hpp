// Background workers of this session, and what comes back from them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "many/portable_call.hpp"
#include "many/worker_protocol.hpp"

namespace pgci {

// What workers are to do. They act as the current user with the session's settings, and never more.
struct WorkerOrder {
    WorkerTask task = WorkerTask::backfill;
    const PortableCall &call;
    Oid target = InvalidOid;     // backfill
    std::vector<DateADT> days{}; // backfill
    std::int64_t run_id = 0;     // run
    int workers = 1;             // at most
};

// Ends with its object, with an error of the session, and with the session itself: then the workers are told to end,
// and with them what they run at the source. Arguments lie in shared memory, and are wiped when all workers have read
// them.
class WorkerPool {
  public:
    // Launches as many of the workers as there are free slots (copy_incremental.max_workers, max_worker_processes).
    explicit WorkerPool(const WorkerOrder &order);
    WorkerPool(const WorkerPool &) = delete;
    WorkerPool &operator=(const WorkerPool &) = delete;

    // How many were launched.
    int size() const { return static_cast<int>(workers_.size()); }

    // The next result of a day, or "ready" of a worker. Waits, serving interrupts; passes on notices. A worker that
    // ends with a day in hand is a failure of that day. Nothing, when all workers have ended.
    std::optional<WorkerMessage> next();

    // The first day that nobody has taken, which this session is going to do itself.
    std::optional<std::uint32_t> take_day();

    // Why the last worker that ended without a day in hand did so, if it said; to be told once.
    std::optional<RunFailure> take_last_words() { return std::exchange(last_words_, std::nullopt); }

    // From now on the workers outlive this object.
    void release();

  private:
    struct Worker {
        std::optional<RunFailure> last_words{};
        shm_mq_handle *queue = nullptr;
        bool is_ready = false;
        bool has_ended = false;
        std::optional<WorkerMessage> in_hand{};
    };
    // Plain data, for when the process ends without unwinding.
    struct State {
        char *secret;
        Size secret_size;
        int launched;
        BackgroundWorkerHandle **handles;
    };

    // Undone by its destructor, also when the constructor of the pool fails.
    struct Shared {
        Shared() = default;
        ~Shared();
        Shared(const Shared &) = delete;
        Shared &operator=(const Shared &) = delete;

        MemoryContext memory = nullptr;
        dsm_segment *segment = nullptr;
        State *state = nullptr;
    };

    void launch();
    void take_words(Worker &worker, std::string_view bytes);
    void wipe_when_read();
    static void stop(dsm_segment *segment, Datum state);

    Shared shared_{};
    SegmentHeader *header_ = nullptr;
    std::vector<Worker> workers_{};
    std::optional<RunFailure> last_words_{};
};

} // namespace pgci
