// When a window that failed is tried again: after a pause, if its error is transient.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "ledger/jobs.hpp"
#include "server/run_failure.hpp"

namespace pgci {

// Whether the same run may succeed later although nothing was changed: serialization failures and deadlocks (40001, 40P01), locks
// that were not available (55P03), too many connections (53300), lost connections (class 08, but not 08004, with which a source
// refuses the user or the database), and servers that shut down or start (57P01 to 57P03).
bool is_transient(int code);

// The retries of one call.
class Retries {
  public:
    // Returns the pause in milliseconds before the next attempt, or nothing if there is none. `attempts` is the number of attempts
    // until now. The pauses grow, and differ by chance, so that runs that failed together do not meet again. A source that
    // cannot be reached is not waited for by every job.
    std::optional<long> pause_after(const RunFailure &failure, const Job &job, int attempts);
    // The same before a job group takes another snapshot, also because the one before was lost (PI004).
    std::optional<long> pause_of_group(const RunFailure &failure, const Job &job, int attempts);

  private:
    std::set<std::string> unreachable_{};
};

} // namespace pgci
