// A column as it is compared across servers: by what is the same on both when the run stored the source's value.
#pragma once

#include <string>
#include <vector>

#include "target/column_map.hpp"

namespace pgci {

// SQL expressions over a relation called q, the source's after the conversion into the target's type. They raise no
// error for a value that the target could not have taken, as far as types go that lengths and digits bound.
struct ComparedColumn {
    std::string name;
    std::string at_source;
    std::string at_target;
    Oid type = InvalidOid; // of both expressions, where it is the very same; 0: only their texts are
};

// The columns of a map, which carries columns of the source to the target.
std::vector<ComparedColumn> compare_columns(const ColumnMap &map, const std::vector<SourceColumn> &columns,
                                            const Target &target);

} // namespace pgci
