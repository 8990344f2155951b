// Background workers of this session, and what comes back from them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "many/worker_protocol.hpp"

namespace pgci {

// What workers are to do. They act as the current user with the session's settings, and never more.
struct WorkerOrder {
    WorkerTask work = WorkerTask::windows;
    Oid schema = InvalidOid;           // of the extension
    std::vector<WindowTask> windows{}; // a run has one
    std::uint32_t jobs = 1;            // that the windows are of
    std::int64_t run_id = 0;           // run
    int workers = 1;                   // at most
};

// Ends with its object, with an error of the session, and with the session itself: then the workers are told to end,
// and with them what they run at the source. They read the definitions of jobs themselves, so that no secret is passed on.
class WorkerPool {
  public:
    // Launches as many of the workers as there are free slots (copy_incremental.max_workers, max_worker_processes).
    explicit WorkerPool(const WorkerOrder &order);
    WorkerPool(const WorkerPool &) = delete;
    WorkerPool &operator=(const WorkerPool &) = delete;

    // How many were launched.
    int size() const { return static_cast<int>(workers_.size()); }

    // The next result of a window, or "ready" of a worker. Waits, serving interrupts; passes on notices. A worker that
    // ends with a window in hand is a failure of that window. Nothing, when all workers have ended.
    std::optional<WorkerMessage> next();

    // The first window that nobody has taken, which this session is going to load itself.
    std::optional<std::uint32_t> take_window() { return windows_.take(); }

    // Why the last worker that ended without a window in hand did so, if it said; to be told once.
    std::optional<RunFailure> take_last_words() { return std::exchange(last_words_, std::nullopt); }

    // From now on the workers outlive this object.
    void release();

  private:
    struct Worker {
        std::optional<RunFailure> last_words{};
        shm_mq_handle *queue = nullptr;
        bool has_ended = false;
        std::optional<WorkerMessage> in_hand{};
    };
    // Plain data, for when the process ends without unwinding.
    struct State {
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
    static void stop(dsm_segment *segment, Datum state);

    Shared shared_{};
    SharedWindows windows_{};
    std::vector<Worker> workers_{};
    std::optional<RunFailure> last_words_{};
};

} // namespace pgci
