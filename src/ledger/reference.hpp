// References from rows of the ledger to objects of the database, by OID.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// The SQL types pgci_relation, pgci_role and pgci_server. They hold an OID: a renamed object is still the same object, and an
// object with the name of a dropped one is another object. A dump contains the name. A restore looks up the OID by the name and
// accepts a name that no object has, so that every row can be restored.
enum class ReferenceKind { relation, role, server };

// A value of pgci_server. pg_upgrade copies the tables of the ledger as files and keeps the OIDs of relations and roles, but not
// those of foreign servers: they get new ones, which other servers had before. The OID therefore counts only in the cluster in
// which the value was made; in another one the name does.
struct StoredServer {
    std::uint64_t cluster; // GetSystemIdentifier()
    NameData name;         // at that time; empty for no server
    Oid server;
    std::uint32_t unused; // zero
};

// PostgreSQL code, both: for use inside pg_call.
StoredServer *store_server(Oid server);
Oid stored_server_oid(
    const StoredServer &stored); // InvalidOid for no server, and in another cluster if none has the name

// Returns the name, quoted if necessary. It is "-" for no object, for a dropped object, and for a temporary relation, which
// other sessions cannot find by its name. PostgreSQL code: for use inside pg_call.
char *reference_name(ReferenceKind kind, Oid object);

// Returns the object with this name; InvalidOid for "-" and if no object has the name. Raises 42602 if it is not a valid name.
// PostgreSQL code: for use inside pg_call.
Oid find_reference(ReferenceKind kind, const char *name);

} // namespace pgci
