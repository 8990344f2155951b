// Limits the number of background workers of this extension in the server.
#pragma once

#include <optional>

#include "server/process_lock.hpp"

namespace pgci {

// copy_incremental.max_workers; -1 means half of max_worker_processes.
extern int max_workers;

// The number of workers that the setting allows.
int most_workers();

// Counts free slots, up to `enough`. Other sessions may take them before this one does.
int count_free_slots(int enough);

[[noreturn]] void raise_no_free_slot();

// A slot. A background worker holds one, as a lock, from its start to its end. A process that crashes releases it too, so
// that the limit is always exact.
class WorkerSlot {
  public:
    // Raises 53000 if no slot is free.
    WorkerSlot();

    // Takes the slot again after the abort of a transaction has released it.
    void keep();

  private:
    std::optional<ProcessLock> lock_{};
};

} // namespace pgci
