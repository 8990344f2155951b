// Locks between processes of this extension. pg_locks shows them as advisory locks.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// The purpose of a lock. The value is objsubid in pg_locks, distinct from those that pg_advisory_lock() (1, 2) and
// known extensions use.
enum class LockClass : std::uint16_t {
    claim = 71,             // held by a procedure that has a claim; the number is its claim_id
    run_life = 72,          // held while a run is active; the number is its run_id
    worker_slot = 73,       // one of the background workers that may run at the same time in this server
    job = 74,               // orders the runs of a job and changes of its definition
    job_window = 75,        // held while a window of a job is loaded
    job_name = 76,          // held by a transaction that defines a job of a new name
    source_connection = 77, // one of the connections that runs in a database may have to a source
    new_table = 79,         // held by a transaction that creates a target of this name
    target_change = 80,     // held by a transaction that changes the columns of a target; the number is its OID
};

// Returns the tag of a lock of the default method, which pg_advisory_unlock_all() does not release. Database 0 means
// the whole server.
LOCKTAG lock_tag(LockClass lock_class, Oid database, std::uint64_t number);

// Releases a session lock, unless the abort of a transaction has already released it.
void release_session_lock(const LOCKTAG &tag) noexcept;

// A lock that this process holds until the object or the process ends. User code can release a session lock in two
// ways: the abort of a transaction releases session locks of the default method, and pg_advisory_unlock_all() those of
// the user method. Therefore this class takes one lock of each method.
class ProcessLock {
  public:
    ProcessLock(LockClass lock_class, Oid database, std::uint64_t number);
    ~ProcessLock();
    ProcessLock(const ProcessLock &) = delete;
    ProcessLock &operator=(const ProcessLock &) = delete;

    // Takes the lock, or the part of it that was released. Does not wait. Returns false if another process holds it.
    bool take();
    // Returns whether no other process holds the lock. A process that is between two transactions may be missed.
    bool is_free() const;

  private:
    LOCKTAG table_method_;
    LOCKTAG advisory_method_;
};

} // namespace pgci
