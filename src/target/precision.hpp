// What a value loses when it is stored in a column of the target.
#pragma once

#include <string>

#include "target/target.hpp"

namespace pgci {

// Returns what storing values of the source's column loses, such as "rounded to 0 digits of a second"; empty if nothing.
// Compares types and modifiers only: a column of integers in numeric still is one that may have decimals.
std::string find_lost_precision(const SourceColumn &from, const TargetColumn &into);

// Returns whether a type has all values of another, so that a column can change its type and lose nothing. Only known of numbers,
// texts and times, of arrays and domains of them, and if both types are the same.
bool widens(Oid from, int from_typmod, Oid into, int into_typmod);

// Returns whether the seconds of a time are rounded, which may move it into the next window.
bool rounds_seconds(const SourceColumn &from, const TargetColumn &into);

} // namespace pgci
