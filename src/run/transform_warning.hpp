// Warns of a transform that servers of Citus execute with settings of their own.
#pragma once

#include "target/load_plan.hpp"
#include "run/prepared_run.hpp"

namespace pgci {

// Returns which settings differ, and what to do; empty if there is nothing to warn of.
std::string find_transform_warning(const PreparedRun &run, const LoadPlan &plan);

// The same as a WARNING, which names the job, or else the target.
void warn_of_transform(const PreparedRun &run, const LoadPlan &plan);

} // namespace pgci
