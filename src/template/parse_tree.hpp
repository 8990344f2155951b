// Raw parse trees of SQL texts, read with the settings of the source's session. Call these functions inside pg_call.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Parses statements. Raises 42601 for a syntax error.
List *parse_statements(const char *sql);

// Parses an expression as after WHERE. The result is a SELECT with the expression as its only output, unless the text
// has more than one expression.
List *parse_expression(const char *sql);

// Returns the output of the SELECT that parse_expression() returns.
inline Node *expression_of(const List *parsed) {
    const auto *const select = reinterpret_cast<const SelectStmt *>(static_cast<RawStmt *>(linitial(parsed))->stmt);
    return static_cast<ResTarget *>(linitial(select->targetList))->val;
}

} // namespace pgci
