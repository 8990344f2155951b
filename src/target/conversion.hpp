// The conversion that an INSERT applies to the value of a column.
#pragma once

#include <optional>
#include <string>

#include "target/target.hpp"

namespace pgci {

struct Conversion {
    bool exists = true;      // false: an INSERT fails (42804)
    std::string description; // empty: stored unchanged
};

// Returns the assignment conversion from a value of type `from`, without a modifier, to a column.
Conversion find_conversion(Oid from, const TargetColumn &into);

// Returns the name of a type on this server, with its modifier.
std::string type_text(Oid type, int typmod);

// Returns the same as SQL that does not depend on search_path, without a modifier unless one is given.
std::string qualified_type_name(Oid type, int typmod = -1);

} // namespace pgci
