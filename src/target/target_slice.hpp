// The slice of mode replace: its rows are deleted first, and no row outside it may be inserted.
#pragma once

#include <string>

#include "server/named_relation.hpp"
#include "server/pg.hpp"

namespace pgci {

// Executes the DELETE of a slice, if there is one, and returns the number of deleted rows. Triggers are queued in the
// current trigger query level. Raises 40001 if the slice has rows that a REPEATABLE READ transaction cannot see, 42P01
// if the statement no longer refers to `target`.
std::int64_t delete_slice(const std::string &statement, const UsedRelation &target);

// Raises 44000: the source sent this number of rows outside the slice. PostgreSQL code.
[[noreturn]] void raise_outside_slice(std::int64_t rows);

// Parses the condition as an expression on rows of a relation, for ExecInitExpr. PostgreSQL code. Raises 0A000 for a
// condition with a subquery.
Expr *parse_slice(const char *condition, Relation relation);

} // namespace pgci
