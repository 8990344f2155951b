// What the source's catalogs say about a column of a table that a query compares with the window.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "source/source_session.hpp"

namespace pgci {

struct TableColumn {
    std::string name;
    std::string table; // schema.relation
    Oid type = InvalidOid;
    bool is_text = false; // of the type category of strings
    bool is_nullable = false;
    std::string null_percent{}; // according to ANALYZE; "0.0" if that is not known
    bool begins_index = false;
};

// Finds a column by its number in the table, or by its name. Returns nothing for a view.
std::optional<TableColumn> find_table_column(SourceSession &source, Oid table, int number);
std::optional<TableColumn> find_table_column(SourceSession &source, Oid table, const std::string &name);

// Returns warnings: rows in which the column is NULL are in no window; and, if the query reads one table, no index
// begins with the column. `shown` is the name of the column in messages.
std::vector<std::string> column_warnings(const TableColumn &column, const std::string &shown, bool reads_one_table);

} // namespace pgci
