// Columns that a query does not return, although the target or the job has them.
#pragma once

#include "request/copy_request.hpp"
#include "target/load_plan.hpp"

namespace pgci {

// Returns what a job remembers of the columns that its query returns, so that its runs notice a change; none if they are more than
// a table can have.
std::vector<KnownColumn> known_columns_of(const std::vector<SourceColumn> &columns);

// Raises 42703 if the query of a job no longer returns a column that its last run has read: the rows would be stored without it.
void check_known_columns(const CopyRequest &request, const std::vector<SourceColumn> &columns);

// Raises 42804 if the window_column of a job had a time zone when its last run read it and has none now, or the reverse: a window
// has other rows then.
void check_known_window_type(const CopyRequest &request, Oid type);

// Issues a WARNING that names the target's columns in which modes replace and upsert store NULL because no column of the
// query has their name.
void warn_of_left_null(const CopyRequest &request, const Target &target, const LoadPlan &plan);

} // namespace pgci
