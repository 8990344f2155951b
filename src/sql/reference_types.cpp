// The input and output functions, and casts, of the types pgci_relation, pgci_role and pgci_server.
#include "server/guard.hpp"
#include "ledger/reference.hpp"

namespace {

Datum read_reference(FunctionCallInfo fcinfo, pgci::ReferenceKind kind) {
    return pgci::sql_boundary([=] {
        return pgci::pg_call([=] { return ObjectIdGetDatum(pgci::find_reference(kind, PG_GETARG_CSTRING(0))); });
    });
}

Datum write_reference(FunctionCallInfo fcinfo, pgci::ReferenceKind kind) {
    return pgci::sql_boundary(
        [=] { return pgci::pg_call([=] { return CStringGetDatum(pgci::reference_name(kind, PG_GETARG_OID(0))); }); });
}

const pgci::StoredServer &stored_server(FunctionCallInfo fcinfo) {
    return *reinterpret_cast<const pgci::StoredServer *>(PG_GETARG_POINTER(0));
}

} // namespace

extern "C" {

PG_FUNCTION_INFO_V1(pgci_relation_in);
PG_FUNCTION_INFO_V1(pgci_relation_out);
PG_FUNCTION_INFO_V1(pgci_role_in);
PG_FUNCTION_INFO_V1(pgci_role_out);
PG_FUNCTION_INFO_V1(pgci_server_in);
PG_FUNCTION_INFO_V1(pgci_server_out);
PG_FUNCTION_INFO_V1(pgci_server_oid);
PG_FUNCTION_INFO_V1(pgci_server_of_oid);

Datum pgci_relation_in(PG_FUNCTION_ARGS) { return read_reference(fcinfo, pgci::ReferenceKind::relation); }
Datum pgci_relation_out(PG_FUNCTION_ARGS) { return write_reference(fcinfo, pgci::ReferenceKind::relation); }
Datum pgci_role_in(PG_FUNCTION_ARGS) { return read_reference(fcinfo, pgci::ReferenceKind::role); }
Datum pgci_role_out(PG_FUNCTION_ARGS) { return write_reference(fcinfo, pgci::ReferenceKind::role); }

Datum pgci_server_in(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([=] {
        return pgci::pg_call([=] {
            const Oid server = pgci::find_reference(pgci::ReferenceKind::server, PG_GETARG_CSTRING(0));
            return PointerGetDatum(pgci::store_server(server));
        });
    });
}

Datum pgci_server_out(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([=] {
        return pgci::pg_call([=] {
            const Oid server = pgci::stored_server_oid(stored_server(fcinfo));
            return CStringGetDatum(pgci::reference_name(pgci::ReferenceKind::server, server));
        });
    });
}

Datum pgci_server_oid(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([=] {
        return pgci::pg_call([=] { return ObjectIdGetDatum(pgci::stored_server_oid(stored_server(fcinfo))); });
    });
}

Datum pgci_server_of_oid(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary(
        [=] { return pgci::pg_call([=] { return PointerGetDatum(pgci::store_server(PG_GETARG_OID(0))); }); });
}

} // extern "C"
