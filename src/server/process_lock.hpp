// Locks that this extension's processes show each other. pg_locks has them as advisory locks.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// What a lock means. The number is objsubid in pg_locks, distinct from those of pg_advisory_lock() (1, 2) and known
// extensions.
enum class LockClass : std::uint16_t {
    run_key = 71,     // the order of runs with one key
    run_life = 72,    // a run is alive; the number is its run_id
    worker_slot = 73, // one of the background workers that may run at once in this server
};

// A lock of the method that tables have, which pg_advisory_unlock_all() does not release. Database 0 is the server.
LOCKTAG lock_tag(LockClass lock_class, Oid database, std::uint64_t number);

// Releases a lock of the session, unless the abort of a transaction has released it already.
void release_session_lock(const LOCKTAG &tag) noexcept;

// A lock that this process holds until the object or the process ends, whatever the code of users does. A lock of the
// session can be lost in two ways: the abort of a transaction releases those of the method that tables have,
// pg_advisory_unlock_all() those of the method that advisory locks have. So this is one of each.
class ProcessLock {
  public:
    ProcessLock(LockClass lock_class, Oid database, std::uint64_t number);
    ~ProcessLock();
    ProcessLock(const ProcessLock &) = delete;
    ProcessLock &operator=(const ProcessLock &) = delete;

    // Takes the lock, or what was lost of it. Does not wait: false if another process has it.
    bool take();
    // Does no other process have it? A process between two transactions may be overlooked.
    bool is_free() const;

  private:
    LOCKTAG table_method_;
    LOCKTAG advisory_method_;
};

} // namespace pgci
