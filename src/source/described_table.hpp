// What the source's catalogs say about the columns of a query and about the table that it reads, so that a table for them can be
// made.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "source/source_session.hpp"

namespace pgci {

// A type as the source names it.
struct SourceType {
    char kind = 'b'; // pg_type.typtype; a for an array
    Oid oid = InvalidOid;
    int typmod = -1;
    std::string schema{};
    std::string name{};
    std::string labels{}; // of an enum, as text[]
};

struct DescribedColumn {
    std::string name;
    std::vector<SourceType>
        types; // the column's type, and what it is made of: the element of an array, the base of a domain
    bool is_not_null = false;
    std::optional<std::string> comment{};
};

struct DescribedTable {
    std::vector<DescribedColumn> columns{};
    std::vector<std::string> primary_key{}; // names of result columns; empty if they do not include a whole primary key
    std::optional<std::string> comment{};
};

// Asks the source. `reads_one_table`: each row of the result is a row of the one relation in FROM. Otherwise nothing is known of
// NOT NULL, the primary key and the comment of the table. No text of the answer is SQL.
DescribedTable describe_table(SourceSession &source, const std::vector<SourceColumn> &columns, bool reads_one_table);

} // namespace pgci
