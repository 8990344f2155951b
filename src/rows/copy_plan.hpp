// Decides how COPY transfers the columns: in binary, cast to the target's types at the source, or all as text.
#pragma once

#include "target/column_map.hpp"

namespace pgci {

// How COPY transfers a column to the target.
enum class Passage {
    as_it_is,
    by_cast, // cast to the target's type at the source
    by_text, // sent as text, which has the binary format of the target's text type
    in_text, // requires text format for the whole COPY
    not_possible,
};

struct CopyColumn {
    std::string name;
    Passage passage = Passage::as_it_is;
    Oid cast = InvalidOid; // type of the cast at the source; 0: none
};

struct CopyPlan {
    std::vector<CopyColumn> columns{};
    bool is_binary = true;      // else text format
    bool is_whole_query = true; // the query's columns unchanged and in their order
};

// Returns the word for COPY's option FORMAT.
inline const char *format_name(const CopyPlan &plan) { return plan.is_binary ? "binary" : "text"; }

// Finds how COPY would transfer the columns, including those that it cannot.
CopyPlan find_copy_plan(const ColumnMap &map, const Target &target);

// Plans the COPY of columns into the target. `insert` is the statement of method cursor, which is analyzed. Raises the
// errors of the analyzer (42804 if there is no assignment cast), and 0A000 for a column whose cast could have a
// different result at the source.
CopyPlan plan_copy(const ColumnMap &map, const Target &target, const std::string &insert);

} // namespace pgci
