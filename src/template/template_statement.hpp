// The kind of a statement, as far as the parser of this server can read it.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace pgci {

// A relation of a FROM clause as written; the schema is empty if the query does not name one.
struct WrittenName {
    std::string schema;
    std::string relation;
};

// SELECT, VALUES or TABLE; a statement that writes; another command.
enum class StatementKind { query, writes, other };

// Returns the kind of a text that scan_template has accepted, so that it is one statement. Raises 42601 for a syntax
// error, with its position in the text.
StatementKind kind_of_statement(const std::string &text);

// Facts from the parse tree of a query.
struct QueryFacts {
    // The relation of the top-level FROM clause; nothing for a join, a subquery, a function or no FROM.
    std::optional<WrittenName> only_relation{};
    std::vector<WrittenName> relations{}; // all that the query names, also in subqueries
    bool is_limited = false;              // the query has a top-level LIMIT or OFFSET
    bool is_grouped = false;              // the query has a top-level GROUP BY
};

// Raises 25006 for a statement that writes, 42601 for one that is not a query. Returns no facts for SQL that this
// server cannot parse, because the source may be newer.
QueryFacts check_statement(const std::string &text);

// Returns whether a text that check_statement has parsed only selects columns by their own names from one relation,
// with or without WHERE and ORDER BY.
bool selects_plainly(const std::string &text);

} // namespace pgci
