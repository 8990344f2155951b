// The result column that window_column names.
#pragma once

#include <string>
#include <vector>

#include "template/column_window.hpp"
#include "source/source_session.hpp"

namespace pgci {

// Finds the column. Raises 42703 if the query does not return it, 42701 if it returns it twice, and 42804 if its type
// is not one of such windows.
const SourceColumn &find_window_column(SourceSession &source, const std::vector<SourceColumn> &columns,
                                       const std::string &name, const Window &window);

// Returns warnings about the column: rows in which it is NULL are in no window, and, if the query reads one table, no
// index starts with the column. Returns none for a column that does not come from a table.
std::vector<std::string> find_column_warnings(SourceSession &source, const SourceColumn &column, bool reads_one_table);

} // namespace pgci
