// What kind of statement a query is, as far as this server's parser can read it.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace pgci {

// A relation of a FROM clause as it was written; the schema is empty if the query did not name one.
struct WrittenName {
    std::string schema;
    std::string relation;
};

// Is it SELECT, VALUES or TABLE, or does it write, or is it another command?
enum class StatementKind { query, writes, other };

// The kind of a text that scan_template has passed, so that it is one statement. Raises 42601 for a syntax error, with
// its place in the text.
StatementKind kind_of_statement(const std::string &text);

// What the parse tree of a query says.
struct QueryFacts {
    // The relation of the top-level FROM clause; nothing where the clause has a join, a subquery or a function, or where
    // there is none.
    std::optional<WrittenName> only_relation{};
    bool is_limited = false; // by a LIMIT or OFFSET of the whole query
};

// Raises 25006 for a statement that writes, 42601 for one that is no query. Returns no facts for a text that is not SQL
// that this server knows: the source may be newer.
QueryFacts check_statement(const std::string &text);

// Is a text that check_statement has parsed a selection of columns by their own names from one relation, perhaps with
// WHERE and ORDER BY, and nothing else?
bool selects_plainly(const std::string &text);

} // namespace pgci
