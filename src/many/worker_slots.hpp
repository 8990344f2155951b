// How many background workers of this extension run at once in this server.
#pragma once

#include <optional>

#include "server/process_lock.hpp"

namespace pgci {

// copy_incremental.max_workers: -1 is half of max_worker_processes.
extern int max_workers;

// The most that the setting allows.
int most_workers();

// How many more workers could begin now, `enough` at most. Others may take the slots before they do.
int count_free_slots(int enough);

[[noreturn]] void raise_no_free_slot();

// One of the slots. A background worker has one from its start to its end, and there are no more slots than the setting
// allows, so that the bound does not depend on what a process remembers, or whether it ended well.
class WorkerSlot {
  public:
    // Raises 53000 when no slot is free.
    WorkerSlot();

    // Takes again what the abort of a transaction has released.
    void keep();

  private:
    std::optional<ProcessLock> lock_{};
};

} // namespace pgci
