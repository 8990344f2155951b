// The column of the query's result that window_column names.
#pragma once

#include <string>
#include <vector>

#include "source/source_session.hpp"

namespace pgci {

// Finds the column. Raises 42703 if the query does not return it, 42701 if it returns it twice, and 42804 if its type has
// no day.
const SourceColumn &find_window_column(SourceSession &source, const std::vector<SourceColumn> &columns,
                                       const std::string &name);

// What the user should know of the column: rows that are in no window because it is NULL, and, where the query reads one
// table, that no index begins with it. Knows only columns that come from a table.
std::vector<std::string> find_column_warnings(SourceSession &source, const SourceColumn &column, bool reads_one_table);

} // namespace pgci
