// Whether a plan may be executed for one batch after the other.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Whether the planner of another extension has made a part of the plan that the server executes for this statement. Such a
// planner may store what belongs to a single execution in the plan: Citus stores the number of a job, and a second execution
// reads the rows of the first. `statement` must not be saved. PostgreSQL code.
bool is_planned_elsewhere(SPIPlanPtr statement);

} // namespace pgci
