// What a value loses when it is stored in a column of the target.
#pragma once

#include <string>

#include "target/target.hpp"

namespace pgci {

// Returns what storing values of the source's column loses, such as "rounded to 0 digits of a second"; empty if nothing.
// Compares types and modifiers only: a column of integers in numeric still is one that may have decimals.
std::string find_lost_precision(const SourceColumn &from, const TargetColumn &into);

// Returns whether the seconds of a time are rounded, which may move it into the next window.
bool rounds_seconds(const SourceColumn &from, const TargetColumn &into);

} // namespace pgci
