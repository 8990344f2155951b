// copy_incremental_forget(): marks windows whose rows were deleted as not loaded.
#pragma once

#include <optional>
#include <string>

#include "template/window.hpp"

namespace pgci {

// Both days are included. Without a value, that side has no bound.
struct ForgottenWindows {
    std::optional<DateADT> first_day{};
    std::optional<DateADT> last_day{};
    std::optional<Span> ids{}; // instead of days
    bool are_all() const { return !first_day && !last_day && !ids; }
};

// Forgets that runs have loaded these days or ids into `target` or its partitions, and removes them from the coverage of the jobs.
// The days are days in the time zone of the job, and for calls in the time zone of the session. Without bounds, runs of whole
// results are forgotten too. Jobs of ids have no days, and others no ids. With the name of a job, its runs are meant,
// and those of calls and dropped jobs of its query, which would count as its own. Without it, the runs of all jobs that the
// current user may use are, and of calls and dropped jobs. Runs of those are only the current user's, except that the owners of
// the target and of the ledger forget the runs of all users. Returns the number of runs that had loaded them. `schema` is the
// extension's. Waits for runs of overlapping windows into the target. Raises 42704 and 42501 as Jobs::find does, and 22023 for a
// job that does not load into the target, or has windows of the other kind.
std::int64_t forget(Oid schema, Oid target, const ForgottenWindows &windows, const std::optional<std::string> &job);

} // namespace pgci
