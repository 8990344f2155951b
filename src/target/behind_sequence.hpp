// The sequence of an identity or serial column whose next value may already be in the table.
#pragma once

#include <string>

#include "target/target.hpp"

namespace pgci {

// Returns a note about a column that a run fills, if the largest value in the target is above the last value of the column's
// sequence; empty if it is not, or if the user may not read both. Columns without an index are not looked at.
std::string find_behind_sequence(const Target &target, const TargetColumn &column);

} // namespace pgci
