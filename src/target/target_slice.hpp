// The slice of mode replace: its rows go before others come, and no other may come.
#pragma once

#include <string>

#include "server/named_relation.hpp"
#include "server/pg.hpp"

namespace pgci {

// Runs the DELETE of a slice, if there is one, and returns how many rows that were. What it triggers is queued in the
// trigger query level of now. Raises 40001 where the slice has rows that a REPEATABLE READ transaction cannot see, 42P01 where
// the statement no longer names `target`.
std::int64_t delete_slice(const std::string &statement, const UsedRelation &target);

// Raises 44000 for so many rows of the source that are outside of the slice. PostgreSQL code.
[[noreturn]] void raise_outside_slice(std::int64_t rows);

// Is a row inside of the slice? The condition as an expression over the rows of a relation, for ExecInitExpr; PostgreSQL code. Raises 0A000 for a
// condition with a subquery.
Expr *parse_slice(const char *condition, Relation relation);

} // namespace pgci
