// Whether a run would copy a table onto itself.
#pragma once

#include "target/target.hpp"

namespace pgci {

// Raises 42809 if the source is this database and a column comes from a table that the target is, has as a partition or
// selects from as a view: its rows would be duplicated.
void check_not_itself(const SourceSession &source, const std::vector<SourceColumn> &columns, const Target &target);

} // namespace pgci
