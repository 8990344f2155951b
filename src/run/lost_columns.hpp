// Columns that a query does not return, although the target or the job has them.
#pragma once

#include "request/copy_request.hpp"
#include "target/load_plan.hpp"

namespace pgci {

// Raises 42703 if the query of a job no longer returns a column that it returned when the job was defined: the rows would
// be stored without it.
void check_known_columns(const CopyRequest &request, const std::vector<SourceColumn> &columns);

// Issues a WARNING that names the target's columns in which modes replace and upsert store NULL because no column of the
// query has their name.
void warn_of_left_null(const CopyRequest &request, const Target &target, const LoadPlan &plan);

} // namespace pgci
