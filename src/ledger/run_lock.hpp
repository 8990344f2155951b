// Locks of runs that last as long as their transaction or their process.
#pragma once

#include "server/process_lock.hpp"
#include "template/window_grid.hpp"

namespace pgci {

// While it exists, and no longer than this process, the ledger's entry "running" of the run is true.
class RunLife {
  public:
    explicit RunLife(std::int64_t run_id);

  private:
    ProcessLock lock_;
};

// Locks the definition of a job until the transaction ends: its runs share the lock, who changes or drops it has it alone.
enum class JobLock { shared, exclusive };
void lock_job(std::int64_t job_id, JobLock lock);

// Locks the name of a job that does not exist until the transaction ends, so that one transaction at a time defines it.
void lock_job_name(const std::string &name);

// Marks the windows of a job that have a part of the span as being loaded by this transaction, so that others which share the work
// do not take them; none if there are more than a thousand. Returns false if another transaction has marked one of them. Does not
// wait.
bool mark_windows(std::int64_t job_id, const WindowGrid &grid, Span span);

} // namespace pgci
