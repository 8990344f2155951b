// How the columns travel by COPY: in binary as the very types of the target, after casts at the source, or all as text.
#pragma once

#include "target/column_map.hpp"

namespace pgci {

// How a column gets into the target by COPY.
enum class Passage {
    as_it_is,
    by_cast, // at the source, to the target's type
    by_text, // as text, which is of the target's binary form
    in_text, // the whole COPY must be text
    not_possible,
};

struct CopyColumn {
    std::string name;
    Passage passage = Passage::as_it_is;
    Oid cast = InvalidOid; // what the source casts the column to; 0 where it is sent as it is
};

struct CopyPlan {
    std::vector<CopyColumn> columns{};
    bool is_binary = true;      // else text
    bool is_whole_query = true; // the query's columns, in its order, as they are
};

// The word for COPY's option FORMAT.
inline const char *format_name(const CopyPlan &plan) { return plan.is_binary ? "binary" : "text"; }

// Finds how columns would travel into those of the target, also those that cannot.
CopyPlan find_copy_plan(const ColumnMap &map, const Target &target);

// Plans the COPY of columns into those of the target. `insert` is the statement of method cursor, which is analyzed:
// raises what the analyzer refuses (42804 where there is no assignment cast), and 0A000 for a column whose cast the
// source could not do as this server would.
CopyPlan plan_copy(const ColumnMap &map, const Target &target, const std::string &insert);

} // namespace pgci
