#include "ledger/reference.hpp"

#include "server/compat.hpp"
#include "server/named_relation.hpp"

namespace pgci {

namespace {

constexpr const char *no_object = "-";

const char *relation_name(Oid relation) {
    const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(tuple)) return nullptr;
    const auto *const found = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
    const char *const schema =
        found->relpersistence == RELPERSISTENCE_TEMP ? nullptr : get_namespace_name(found->relnamespace);
    const char *const name = schema == nullptr ? nullptr : quote_qualified_identifier(schema, NameStr(found->relname));
    ReleaseSysCache(tuple);
    return name;
}

const char *role_name(Oid role) {
    const char *const name = GetUserNameFromId(role, true);
    return name == nullptr ? nullptr : ::quote_identifier(name);
}

const char *server_name(Oid server) {
    const ForeignServer *const found = GetForeignServerExtended(server, FSV_MISSING_OK);
    return found == nullptr ? nullptr : ::quote_identifier(found->servername);
}

// Returns the identifier of a name without a schema; raises 42602 for a name with one.
const char *single_name(const char *name) {
    const List *const names = compat::parse_qualified_name(name);
    if (list_length(names) != 1) ereport(ERROR, (errcode(ERRCODE_INVALID_NAME), errmsg("invalid name syntax")));
    return strVal(linitial(names));
}

} // namespace

StoredServer *store_server(Oid server) {
    auto *const stored = static_cast<StoredServer *>(palloc0(sizeof(StoredServer)));
    const ForeignServer *const found = OidIsValid(server) ? GetForeignServerExtended(server, FSV_MISSING_OK) : nullptr;
    stored->cluster = GetSystemIdentifier();
    stored->server = server;
    if (found != nullptr) namestrcpy(&stored->name, found->servername);
    return stored;
}

Oid stored_server_oid(const StoredServer &stored) {
    if (stored.cluster == GetSystemIdentifier()) return stored.server;
    return NameStr(stored.name)[0] == '\0' ? InvalidOid : get_foreign_server_oid(NameStr(stored.name), true);
}

char *reference_name(ReferenceKind kind, Oid object) {
    const char *name = nullptr;
    switch (kind) {
    case ReferenceKind::relation:
        name = relation_name(object);
        break;
    case ReferenceKind::role:
        name = role_name(object);
        break;
    case ReferenceKind::server:
        name = server_name(object);
        break;
    }
    return pstrdup(name != nullptr ? name : no_object);
}

Oid find_reference(ReferenceKind kind, const char *name) {
    if (std::strcmp(name, no_object) == 0) return InvalidOid;
    switch (kind) {
    case ReferenceKind::relation:
        return find_relation(name);
    case ReferenceKind::role:
        return get_role_oid(single_name(name), true);
    case ReferenceKind::server:
        return get_foreign_server_oid(single_name(name), true);
    }
    return InvalidOid;
}

} // namespace pgci
