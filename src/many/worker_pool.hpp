// Background workers of this session, and their messages.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "many/worker_protocol.hpp"

namespace pgci {

// The work for workers. They have the current user and the settings of the session, and no further privileges.
struct WorkerOrder {
    WorkerTask work = WorkerTask::windows;
    Oid schema = InvalidOid;           // the schema of the extension
    std::vector<WindowTask> windows{}; // one for WorkerTask::run
    std::uint32_t jobs = 1;            // the number of jobs of the windows
    std::int64_t run_id = 0;           // for WorkerTask::run
    int workers = 1;                   // at most
};

// Starts workers, and terminates them when the object is destroyed, also by an error or by the end of the session. Workers
// that end cancel their queries at the source. They read the definitions of jobs themselves, so that no secret is in shared
// memory.
class WorkerPool {
  public:
    // Launches the workers, or fewer if not enough slots are free (copy_incremental.max_workers, max_worker_processes).
    explicit WorkerPool(const WorkerOrder &order);
    WorkerPool(const WorkerPool &) = delete;
    WorkerPool &operator=(const WorkerPool &) = delete;

    // The number of launched workers.
    int size() const { return static_cast<int>(workers_.size()); }

    // Waits for the next message "ready" or "ended" and returns it; nothing if all workers have ended. Processes interrupts,
    // and sends notices to the client. If a worker ends while it loads a window, that window has failed.
    std::optional<WorkerMessage> next();

    // Returns the error of the last worker that ended without loading a window, if it sent one. The next call returns nothing.
    std::optional<RunFailure> take_last_words() { return std::exchange(last_words_, std::nullopt); }

    // Lets the workers outlive this object.
    void release();

  private:
    struct Worker {
        std::optional<RunFailure> last_words{};
        shm_mq_handle *queue = nullptr;
        bool has_ended = false;
        std::optional<WorkerMessage> in_hand{};
    };
    // Plain data, because the process may end without stack unwinding.
    struct State {
        int launched;
        BackgroundWorkerHandle **handles;
    };

    // Released by its destructor, also if the constructor of the pool fails.
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
