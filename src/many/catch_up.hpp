// Which windows of which jobs are loaded by copy_incremental_catch_up().
#pragma once

#include <optional>
#include <string>

#include "server/pg.hpp"

namespace pgci {

// Loads every window that is due and not in the coverage of its job, of one job, or of each of the current user's: the job first
// whose oldest such window is the oldest, and the oldest window first. Raises what Jobs::find raises, and what load_windows
// raises at its end. Called where a procedure may commit.
void catch_up(Oid schema, const std::optional<std::string> &job, int workers);

} // namespace pgci
