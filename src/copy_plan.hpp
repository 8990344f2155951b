// How the columns travel by COPY: in binary as the very types of the target, after casts at the source, or all as text.
#pragma once

#include "column_map.hpp"

namespace pgci {

struct CopyColumn {
    std::string name;
    Oid cast = InvalidOid; // what the source casts the column to; 0 where it is sent as it is
};

struct CopyPlan {
    std::vector<CopyColumn> columns{};
    bool is_binary = true;
    bool is_whole_query = true; // the query's columns, in its order, as they are
};

// Plans the COPY of columns into those of the target. `insert` is the statement of method cursor, which is analyzed:
// raises what the analyzer refuses (42804 where there is no assignment cast), and 0A000 for a column whose cast the
// source could not do as this server would.
CopyPlan plan_copy(const ColumnMap &map, const Target &target, const std::string &insert);

} // namespace pgci
