// copy_incremental_catch_up(): loads all windows that are due and missing.
#pragma once

#include <optional>
#include <string>

#include "server/pg.hpp"

namespace pgci {

// Loads every window that is due and not in the coverage of its job, for one job, for the jobs of a group, or for all jobs of the
// current user. Of jobs without a group, which come first, the one with the oldest such window is first, and in each job the oldest
// window. `is_atomic` as for load_group(). Raises what Jobs::find and Jobs::find_group raise, and what WindowLoader raises at its end. Call it in a procedure that can
// commit.
void catch_up(Oid schema, const std::optional<std::string> &job, const std::optional<std::string> &group, int workers,
              bool is_atomic);

} // namespace pgci
