// Is a row of the target inside of the slice?
#pragma once

#include <string>

#include "server/pg.hpp"

namespace pgci {

// The condition as an expression over the rows of a relation, for ExecInitExpr; PostgreSQL code. Raises 0A000 for a
// condition with a subquery.
Expr *parse_slice(const char *condition, Relation relation);

} // namespace pgci
