// The table for the rows of a request whose target does not exist.
#pragma once

#include "request/copy_request.hpp"
#include "source/source_session.hpp"
#include "target/new_table.hpp"

namespace pgci {

// Splits a name such as schema.relation. Raises 42602 for what is not a name.
WrittenName parse_name(const std::string &name);

// Designs the table: the columns of the query, or of the transform; NOT NULL, the primary key and comments if the query reads one
// table; an index for window_column. Raises 3F000 if the name has no schema and search_path has none.
NewTable design_target(const CopyRequest &request, SourceSession &source, const SourceQuery &query,
                       const std::vector<SourceColumn> &columns, const WrittenName &name);

// Describes what the table has not of the source: types that this database does not have, and a primary key; empty for nothing.
std::string describe_differences(const NewTable &table);

// Returns the GRANT that the current user needs to create the table; empty for none. Raises 3F000 if the schema does not exist.
std::string missing_grant(const NewTable &table);

// Raises 42P01 with the statements that create the table in the hint.
[[noreturn]] void raise_no_target(const CopyRequest &request, const NewTable &table);

// Creates the table, with a NOTICE, unless another transaction has.
NewTable::Created create_target(const CopyRequest &request, const NewTable &table);

} // namespace pgci
