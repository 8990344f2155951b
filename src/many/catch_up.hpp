// copy_incremental_catch_up(): loads all windows that are due and missing.
#pragma once

#include <optional>
#include <string>

#include "server/pg.hpp"

namespace pgci {

// Loads every window that is due and not in the coverage of its job, for one job or for all jobs of the current user. The job
// with the oldest such window is first, and in each job the oldest window. Raises what Jobs::find raises, and what
// load_windows raises at its end. Call it in a procedure that can commit.
void catch_up(Oid schema, const std::optional<std::string> &job, int workers);

} // namespace pgci
