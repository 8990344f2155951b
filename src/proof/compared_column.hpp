// The form in which a column is compared between the servers. It is equal on both if the run stored the source's value.
#pragma once

#include <string>
#include <vector>

#include "target/column_map.hpp"

namespace pgci {

// SQL expressions on a relation named q; that of the source includes the conversion to the target's type. They raise no
// error for a value that the target would refuse because of its length or precision.
struct ComparedColumn {
    std::string name;
    std::string at_source;
    std::string at_target;
    Oid type = InvalidOid; // type of both expressions if it is the same; 0: compare only their text
};

// Returns the columns of a map from source columns to the target.
std::vector<ComparedColumn> compare_columns(const ColumnMap &map, const std::vector<SourceColumn> &columns,
                                            const Target &target);

} // namespace pgci
