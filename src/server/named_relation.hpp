// Checks which relation a statement found under a name. PostgreSQL code: for use inside pg_call.
//
// PostgreSQL looks up the name whenever it analyzes the statement, also after it has invalidated the plan. A lock on a
// table prevents ALTER TABLE RENAME, but not ALTER SCHEMA RENAME.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// A relation that a statement must use, and how.
struct UsedRelation {
    Oid oid = InvalidOid;
    AclMode use = 0;            // ACL_INSERT, ACL_DELETE, ACL_SELECT
    const char *name = nullptr; // for messages
};

// Raises 42P01 if the last analysis of the statement found another relation.
void check_uses(SPIPlanPtr plan, const UsedRelation &relation);

// Prepares a statement of `count` parameters that must use the relation.
SPIPlanPtr spi_prepare(const char *sql, const UsedRelation &relation, int count = 0, Oid *types = nullptr);

// Executes such a statement as SPI_execute_snapshot does. Raises 42P01 as check_uses does, also after the execution, so
// that rows written to another relation are rolled back. Raises an error if SPI returns an error code.
void spi_execute(SPIPlanPtr plan, const UsedRelation &relation, Snapshot snapshot = InvalidSnapshot,
                 Snapshot crosscheck = InvalidSnapshot, bool fires_triggers = false);

// Returns schema.relation, each quoted where needed; null for a relation that does not exist.
const char *qualified_name(Oid relation);

// Returns the relation of a name such as schema.relation, without a lock; InvalidOid if there is none. Raises 42602 for what is
// not a name.
Oid find_relation(const char *name);

// Returns whether the current user has one of these privileges on the relation or on a column of it.
bool has_any_privilege(Oid relation, AclMode privileges);

// Raises the error for a target whose name now refers to another relation.
[[noreturn]] void raise_replaced(const char *name);

} // namespace pgci
