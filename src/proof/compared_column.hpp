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

// Returns the function of pg_catalog whose result, a bytea, shows a value of this type as no setting changes it. Empty for a type
// whose text depends on no setting. Texts are not made here alone: the sessions of another server with a part of a
// distributed target have settings of their own.
std::string binary_form(Oid type);

// Returns the columns of a map from source columns to the target.
std::vector<ComparedColumn> compare_columns(const ColumnMap &map, const std::vector<SourceColumn> &columns,
                                            const Target &target);

} // namespace pgci
