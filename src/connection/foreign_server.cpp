#include "connection/foreign_server.hpp"

#include <libpq-fe.h>
#include <memory>

#include "server/compat.hpp"
#include "server/guard.hpp"

namespace pgci {

namespace {

struct ServerAndMapping {
    ForeignServer *server;
    ForeignDataWrapper *wrapper;
    UserMapping *mapping;
    bool owned_by_superuser;
};

bool has_mapping(Oid user, Oid server) {
    return SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(user), ObjectIdGetDatum(server)) ||
           SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server));
}

// Returns a role that the user may become and that has its own user mapping; null if there is none.
const char *role_with_mapping(Oid user, Oid server) {
    const char *name = nullptr;
    const Relation mappings = table_open(UserMappingRelationId, AccessShareLock);
    const TableScanDesc scan = table_beginscan_catalog(mappings, 0, nullptr);
    while (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection)) {
        const auto *const mapping = reinterpret_cast<const FormData_pg_user_mapping *>(GETSTRUCT(tuple));
        if (mapping->umserver != server || !OidIsValid(mapping->umuser) || !compat::may_become(user, mapping->umuser))
            continue;
        const char *const found = GetUserNameFromId(mapping->umuser, true);
        if (found != nullptr && (name == nullptr || strcmp(found, name) < 0)) name = found;
    }
    table_endscan(scan);
    table_close(mappings, AccessShareLock);
    return name;
}

[[noreturn]] void report_no_mapping(Oid user, const ForeignServer *server) {
    const char *const user_name = GetUserNameFromId(user, false);
    const char *const other = role_with_mapping(user, server->serverid);
    const char *const create = psprintf("CREATE USER MAPPING FOR %s SERVER %s OPTIONS (user '...', password '...')",
                                        quote_identifier(user_name), quote_identifier(server->servername));
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("user mapping not found for \"%s\"", user_name),
             other == nullptr
                 ? errhint("Create one with %s.", create)
                 : errhint("Use the one of a role that you are a member of with SET ROLE %s, or create one with %s.",
                           quote_identifier(other), create)));
    pg_unreachable();
}

// Allocates in memory of the transaction. The server is null if there is none of this name.
ServerAndMapping look_up(const char *name) {
    ServerAndMapping found{};
    found.server = GetForeignServerByName(name, true);
    if (found.server == nullptr) return found;
    const Oid user = GetUserId();
    const Oid server = found.server->serverid;
    const AclResult allowed = compat::foreign_server_aclcheck(server, user, ACL_USAGE);
    if (allowed != ACLCHECK_OK) aclcheck_error(allowed, OBJECT_FOREIGN_SERVER, found.server->servername);
    if (!has_mapping(user, server)) report_no_mapping(user, found.server);
    found.wrapper = GetForeignDataWrapper(found.server->fdwid);
    found.mapping = GetUserMapping(user, server);
    found.owned_by_superuser = superuser_arg(found.server->owner);
    return found;
}

bool is_libpq_keyword(const PQconninfoOption *known, std::string_view keyword) {
    for (; known->keyword != nullptr; ++known)
        if (keyword == known->keyword) return true;
    return false;
}

void append(ConnectionOptions &target, const PQconninfoOption *known, const List *options) {
    for (int i = 0; i < list_length(options); ++i) {
        const auto *const option = static_cast<const DefElem *>(list_nth(options, i));
        // Options of a foreign-data wrapper are always stored as strings.
        if (is_libpq_keyword(known, option->defname)) target.set(option->defname, strVal(option->arg));
    }
}

// postgres_fdw lets only a superuser set password_required on a mapping. Other wrappers may not.
bool waives_password(const ServerAndMapping &found) {
    return std::string_view(found.wrapper->fdwname) == "postgres_fdw" && pg_call([&] {
               for (int i = 0; i < list_length(found.mapping->options); ++i) {
                   auto *const option = static_cast<DefElem *>(list_nth(found.mapping->options, i));
                   if (strcmp(option->defname, "password_required") == 0) return !defGetBoolean(option);
               }
               return false;
           });
}

// These two wrappers check the options of a user mapping. With others, any user could set any option.
bool wrapper_checks_mappings(std::string_view wrapper) { return wrapper == "postgres_fdw" || wrapper == "dblink_fdw"; }

} // namespace

std::optional<ConnectionOptions> find_foreign_server(const std::string &name) {
    if (name.empty() || name.size() >= NAMEDATALEN) return std::nullopt;
    const ServerAndMapping found = pg_call([&] { return look_up(name.c_str()); });
    if (found.server == nullptr) return std::nullopt;

    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> known(PQconndefaults(), PQconninfoFree);
    if (known == nullptr) throw std::bad_alloc();
    ConnectionOptions result;
    result.server = name;
    result.server_oid = found.server->serverid;
    result.password_required = !waives_password(found);
    result.chosen_by_other = !found.owned_by_superuser;
    result.set_by_superuser = found.owned_by_superuser && wrapper_checks_mappings(found.wrapper->fdwname);
    append(result, known.get(), found.server->options);
    append(result, known.get(), found.mapping->options);
    return result;
}

std::string find_near_server(const std::string &text) {
    constexpr int most_different = 2;
    constexpr int shortest = 3;
    const int length = static_cast<int>(text.size());
    if (length < shortest || length >= NAMEDATALEN) return "";
    return pg_call([&]() -> const char * {
        const char *nearest = "";
        int best = most_different + 1;
        const Relation servers = table_open(ForeignServerRelationId, AccessShareLock);
        const TableScanDesc scan = table_beginscan_catalog(servers, 0, nullptr);
        while (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection)) {
            const auto *const server = reinterpret_cast<Form_pg_foreign_server>(GETSTRUCT(tuple));
            const char *const name = NameStr(server->srvname);
            const int size = static_cast<int>(std::strlen(name));
            if (size < shortest || compat::foreign_server_aclcheck(server->oid, GetUserId(), ACL_USAGE) != ACLCHECK_OK)
                continue;
            const int distance =
                varstr_levenshtein_less_equal(text.c_str(), length, name, size, 1, 1, 1, most_different, true);
            if (distance >= best) continue;
            best = distance;
            nearest = pstrdup(name);
        }
        table_endscan(scan);
        table_close(servers, AccessShareLock);
        return nearest;
    });
}

} // namespace pgci
