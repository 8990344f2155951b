// The names that tables and types have at the source.
#pragma once

#include <string>
#include <vector>

#include "connection/question.hpp"
#include "source/source_session.hpp"
#include "template/source_query.hpp"

namespace pgci {

struct TableName {
    std::string schema;
    std::string relation;
};
// Asks for the name of a table with this OID at the source.
TableName table_name(RemoteConnection &connection, Oid table);

// The names of the relations as the query writes them, quoted where needed, each once.
std::vector<std::string> relation_names(const SourceQuery &query);

// Asks for the relations that a query names, which must be some: schema.relation, quoted where needed, each once. A
// partition counts as the table that it is a part of.
Question tables_question(const SourceQuery &query);
std::vector<std::string> read_tables(const Answer &answer);

// Asks for the names of the columns' types, with modifiers.
std::vector<std::string> type_names(RemoteConnection &connection, const std::vector<SourceColumn> &columns);

} // namespace pgci
