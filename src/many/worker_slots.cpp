#include "many/worker_slots.hpp"

#include "server/guard.hpp"

namespace pgci {

int max_workers = -1;

int most_workers() { return max_workers >= 0 ? max_workers : std::max(1, max_worker_processes / 2); }

namespace {

// In place of a database, so that a lock is for all databases.
constexpr Oid whole_server = InvalidOid;

} // namespace

int count_free_slots(int enough) {
    int count = 0;
    for (int slot = 0; slot < most_workers() && count < enough; ++slot)
        if (ProcessLock(LockClass::worker_slot, whole_server, static_cast<std::uint64_t>(slot)).is_free()) ++count;
    return count;
}

WorkerSlot::WorkerSlot() {
    for (int slot = 0; slot < most_workers(); ++slot) {
        lock_.emplace(LockClass::worker_slot, whole_server, static_cast<std::uint64_t>(slot));
        if (lock_->take()) return;
    }
    raise_no_free_slot();
}

void WorkerSlot::keep() { (void)lock_->take(); }

void raise_no_free_slot() {
    constexpr const char *message = "no background worker slot is free";
    // The setting may allow more workers although the server has no process left.
    if (count_free_slots(1) > 0)
        raise(sqlstate::out_of_descriptors, message,
              max_worker_processes == 0 ? "Raise max_worker_processes, and restart the server."
                                        : "Raise max_worker_processes, or wait until other workers have ended.",
              "The server has " + std::to_string(max_worker_processes) +
                  " background worker slots (max_worker_processes), and other background workers take all of them.");
    raise(sqlstate::out_of_descriptors, message,
          most_workers() == 0 ? "Raise copy_incremental.max_workers."
                              : "Raise copy_incremental.max_workers, or wait until other workers have ended.",
          "copy_incremental.max_workers allows " + std::to_string(most_workers()) +
              " background workers at a time in this server.");
}

} // namespace pgci
