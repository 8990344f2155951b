// What an INSERT does to a value so that it fits its column.
#pragma once

#include <optional>
#include <string>

#include "target/target.hpp"

namespace pgci {

struct Conversion {
    bool exists = true;      // false: the INSERT is refused (42804)
    std::string description; // empty where the value is stored as it is
};

// From a value of type `from`, without a modifier, into a column, as an assignment.
Conversion find_conversion(Oid from, const TargetColumn &into);

// A type's name here, with its modifier.
std::string type_text(Oid type, int typmod);

// The same as SQL that names the type whatever search_path is; without a modifier unless one is given.
std::string qualified_type_name(Oid type, int typmod = -1);

} // namespace pgci
