// The columns that identify a row when both servers are compared.
#pragma once

#include <string>
#include <vector>

#include "run/prepared_run.hpp"

namespace pgci {

// Returns whether the columns include all of these names.
bool has_all(const std::vector<SourceColumn> &columns, const std::vector<std::string> &names);

// Returns key_columns, or else the primary key of the target if the query returns it; empty if there are none. Raises 42703 for
// a column of key_columns that one of both sides does not have.
std::vector<std::string> key_of(const PreparedRun &run);

} // namespace pgci
