// An object of the database that a row of the ledger speaks of, by its OID.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// The SQL types pgci_relation, pgci_role and pgci_server. They hold an OID, so that a renamed object is the same one, and
// an object that takes a dropped one's name is another. A dump has the name, and a restore takes the OID of what has the
// name there: each row can be restored, whatever is missing.
enum class ReferenceKind { relation, role, server };

// The name, quoted where needed. "-" for no object, for one that was dropped, and for a temporary relation, which no other
// session could find by its name. PostgreSQL code: for use inside pg_call.
char *reference_name(ReferenceKind kind, Oid object);

// The object that has a name; InvalidOid for "-", and where nothing has it. Raises 42602 for what is no name. PostgreSQL
// code: for use inside pg_call.
Oid find_reference(ReferenceKind kind, const char *name);

} // namespace pgci
