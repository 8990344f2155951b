// Which relation a statement has found by the name that it was written with. PostgreSQL code: for use inside pg_call.
//
// A statement names its relation, and the name is looked up whenever the statement is analyzed: also again, when the
// server has invalidated its plan. A lock on a table keeps it from being renamed, but not its schema.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// What a statement must use, and how.
struct UsedRelation {
    Oid oid = InvalidOid;
    AclMode use = 0;            // ACL_INSERT, ACL_DELETE, ACL_SELECT
    const char *name = nullptr; // for messages
};

// Raises 42P01 if the last analysis of the statement found another relation than that one.
void check_uses(SPIPlanPtr plan, const UsedRelation &relation);

// Prepares a statement of `count` parameters that must use the relation.
SPIPlanPtr spi_prepare(const char *sql, const UsedRelation &relation, int count = 0, Oid *types = nullptr);

// Runs such a statement as SPI_execute_snapshot does. Raises 42P01 as check_uses does, after an execution as well, so that what
// another relation was written is rolled back. Raises an error for a return code that is one.
void spi_execute(SPIPlanPtr plan, const UsedRelation &relation, Snapshot snapshot = InvalidSnapshot,
                 Snapshot crosscheck = InvalidSnapshot, bool fires_triggers = false);

// The error of a run whose target is no longer what its name means.
[[noreturn]] void raise_replaced(const char *name);

} // namespace pgci
