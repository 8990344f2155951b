#include "target/target.hpp"

#include "server/guard.hpp"
#include "server/process_lock.hpp"
#include "source/source_names.hpp"

namespace pgci {

namespace {

[[noreturn]] void raise_wrong_kind(const char *name, const char *what) {
    ereport(ERROR,
            (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("cannot copy into \"%s\"", name), errdetail("It is %s.", what),
             errhint("The target must be a table, a foreign table, or a view that takes inserts.")));
    pg_unreachable();
}

void check_kind(Relation relation) {
    const char *const name = RelationGetRelationName(relation);
    switch (relation->rd_rel->relkind) {
    case RELKIND_RELATION:
    case RELKIND_PARTITIONED_TABLE:
    case RELKIND_FOREIGN_TABLE:
    case RELKIND_VIEW:
        break;
    case RELKIND_MATVIEW:
        raise_wrong_kind(name, "a materialized view");
    case RELKIND_SEQUENCE:
        raise_wrong_kind(name, "a sequence");
    case RELKIND_INDEX:
    case RELKIND_PARTITIONED_INDEX:
        raise_wrong_kind(name, "an index");
    case RELKIND_COMPOSITE_TYPE:
        raise_wrong_kind(name, "a composite type");
    default:
        raise_wrong_kind(name, "not a table");
    }
    if ((relation_is_updatable(RelationGetRelid(relation), NIL, true, nullptr) & (1 << CMD_INSERT)) == 0)
        raise_wrong_kind(name, relation->rd_rel->relkind == RELKIND_VIEW
                                   ? "a view that is not updatable and has no INSTEAD OF INSERT trigger"
                                   : "not open to inserts");
}

bool is_catalog_schema(Oid schema) {
    return IsCatalogNamespace(schema) || IsToastNamespace(schema) ||
           schema == get_namespace_oid("information_schema", true);
}

[[noreturn]] void raise_gone(Oid relation) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("target with OID %u does not exist", relation),
                    errdetail("It may have been dropped after the call began."), errhint("Run it again.")));
    pg_unreachable();
}

[[noreturn]] void raise_missing(Oid relation, AclMode needed) {
    constexpr std::array<std::pair<AclMode, const char *>, 4> privileges{
        {{ACL_SELECT, "SELECT"}, {ACL_INSERT, "INSERT"}, {ACL_UPDATE, "UPDATE"}, {ACL_DELETE, "DELETE"}}};
    StringInfoData grant;
    initStringInfo(&grant);
    for (const auto &[privilege, name] : privileges)
        if ((needed & privilege) != 0 && pg_class_aclcheck(relation, GetUserId(), privilege) != ACLCHECK_OK)
            appendStringInfo(&grant, "%s%s", grant.len == 0 ? "GRANT " : ", ", name);
    appendStringInfo(&grant, " ON %s TO %s", qualified_name(relation),
                     ::quote_identifier(GetUserNameFromId(GetUserId(), false)));
    raise_denied(relation, grant.data);
}

// Check before locking: a user without the privilege must not block other sessions.
void check_privileges(Oid relation, TargetUse use, AclMode needed) {
    const Oid schema = get_rel_namespace(relation);
    const char *const name = get_rel_name(relation);
    if (!OidIsValid(schema) || name == nullptr) raise_gone(relation);
    if (IsCatalogRelationOid(relation) || is_catalog_schema(schema))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("permission denied: \"%s\" is a system catalog", name)));
    if (use == TargetUse::look) return;
    const char kind = get_rel_relkind(relation);
    // Check privileges only for these kinds. The others are refused because of their kind.
    if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_FOREIGN_TABLE &&
        kind != RELKIND_VIEW)
        return;
    if (!has_any_privilege(relation, ACL_INSERT)) raise_missing(relation, needed);
}

LOCKMODE lock_of(TargetUse use) { return use == TargetUse::write ? RowExclusiveLock : AccessShareLock; }

Relation open_checked(Oid oid, TargetUse use, AclMode needed) {
    check_privileges(oid, use, needed);
    // Open an index too, so that the error shows its name.
    const Relation relation = try_relation_open(oid, lock_of(use));
    if (relation == nullptr) raise_gone(oid);
    check_kind(relation);
    if (RELATION_IS_OTHER_TEMP(relation))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot copy into temporary tables of other sessions")));
    return relation;
}

[[noreturn]] void raise_unclear(const std::string &detail) {
    raise(sqlstate::ambiguous_target, "could not tell the target from the query", "Pass target => 'schema.table'.",
          detail);
}

// Uses the schema of the query, or search_path. Ignores temporary tables and catalogs.
Oid look_up(const char *schema, const char *relation) {
    if (schema[0] != '\0') {
        const Oid found = LookupExplicitNamespace(schema, true);
        if (!OidIsValid(found) || isAnyTempNamespace(found) || is_catalog_schema(found)) return InvalidOid;
        return get_relname_relid(relation, found);
    }
    const List *const path = fetch_search_path(false);
    for (int i = 0; i < list_length(path); ++i) {
        const Oid candidate = list_nth_oid(path, i);
        if (isAnyTempNamespace(candidate) || is_catalog_schema(candidate)) continue;
        const Oid found = get_relname_relid(relation, candidate);
        if (OidIsValid(found)) return found;
    }
    return InvalidOid;
}

// Looks up and locks the relation as RangeVarGetRelidExtended does: if it was renamed, dropped or created while this
// session waited for the lock, looks it up again.
Oid look_up_and_lock(const char *schema, const char *relation, TargetUse use, AclMode needed) {
    for (Oid locked = InvalidOid;;) {
        const uint64 invalidations = SharedInvalidMessageCounter;
        const Oid found = look_up(schema, relation);
        if (OidIsValid(locked) && found == locked) return found;
        if (OidIsValid(locked)) UnlockRelationOid(locked, lock_of(use));
        if (!OidIsValid(found)) return InvalidOid;
        check_privileges(found, use, needed);
        LockRelationOid(found, lock_of(use));
        if (invalidations == SharedInvalidMessageCounter) return found;
        locked = found;
    }
}

// Returns the only table that the result columns come from.
Oid single_source_table(const std::vector<SourceColumn> &columns) {
    Oid table = InvalidOid;
    for (const SourceColumn &column : columns) {
        if (!OidIsValid(column.table) || column.table == table) continue;
        if (OidIsValid(table)) raise_unclear("The query's columns come from several tables.");
        table = column.table;
    }
    if (!OidIsValid(table)) raise_unclear("None of the query's columns comes from a table.");
    return table;
}

} // namespace

void raise_denied(Oid relation, const char *grants) {
    const char kind = get_rel_relkind(relation);
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("permission denied for %s %s",
                           kind == RELKIND_VIEW            ? "view"
                           : kind == RELKIND_SEQUENCE      ? "sequence"
                           : kind == RELKIND_FOREIGN_TABLE ? "foreign table"
                                                           : "table",
                           get_rel_name(relation)),
                    errhint("Run %s.", grants)));
    pg_unreachable();
}

Target Target::open(Oid oid, TargetUse use, AclMode needed) {
    const Relation relation = pg_call([=] { return open_checked(oid, use, needed); });
    Target target;
    target.oid_ = oid;
    target.kind_ = relation->rd_rel->relkind;
    target.name_ = pg_call([=] {
        return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
                                          RelationGetRelationName(relation));
    });
    const TupleDesc description = RelationGetDescr(relation);
    for (int i = 0; i < description->natts; ++i) {
        const Form_pg_attribute attribute = TupleDescAttr(description, i);
        if (attribute->attisdropped) continue;
        const bool has_default = attribute->atthasdef || attribute->attidentity != '\0' ||
                                 pg_call([=] { return get_typdefault(attribute->atttypid) != nullptr; });
        target.columns_.push_back({.name = NameStr(attribute->attname),
                                   .type = attribute->atttypid,
                                   .typmod = attribute->atttypmod,
                                   .collation = attribute->attcollation,
                                   .is_not_null = attribute->attnotnull,
                                   .has_default = has_default,
                                   .is_generated = attribute->attgenerated != '\0',
                                   .is_identity_always = attribute->attidentity == ATTRIBUTE_IDENTITY_ALWAYS});
    }
    pg_call([=] { relation_close(relation, NoLock); });
    return target;
}

void Target::open_again() {
    pg_call([this] {
        LockRelationOid(oid_, RowExclusiveLock);
        if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(oid_)))
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                            errmsg("target %s was dropped while the run was under way", name_.c_str()),
                            errhint("Create the target and run it again.")));
    });
    Target now = open(oid_);
    if (now.name_ != name_) pg_call([this] { raise_replaced(name_.c_str()); });
    kind_ = now.kind_;
    columns_ = std::move(now.columns_);
}

void Target::lock_for_change() {
    const LOCKTAG tag = lock_tag(LockClass::target_change, MyDatabaseId, oid_);
    pg_call([&] {
        for (; locks_ > 0; --locks_) UnlockRelationOid(oid_, RowExclusiveLock);
        (void)LockAcquire(&tag, ExclusiveLock, false, false);
    });
    open_again();
}

const TargetColumn *Target::find_column(const std::string &name) const {
    const auto found =
        std::find_if(columns_.begin(), columns_.end(), [&](const TargetColumn &column) { return column.name == name; });
    return found == columns_.end() ? nullptr : &*found;
}

WrittenName Target::name_in(const SourceQuery &query, const std::vector<SourceColumn> &columns, SourceSession &source) {
    const Oid table = single_source_table(columns);
    if (!query.only_relation()) raise_unclear("The query's FROM clause is not exactly one table.");
    const WrittenName &name = *query.only_relation();
    const TableName found = table_name(source.connection(), table);
    if (name.relation != found.relation || (!name.schema.empty() && name.schema != found.schema))
        raise_unclear("The query's columns come from \"" + found.relation + "\", which its FROM clause does not name.");
    return name;
}

std::optional<Target> Target::find(const WrittenName &name, TargetUse use, AclMode needed) {
    const Oid found =
        pg_call([&] { return look_up_and_lock(name.schema.c_str(), name.relation.c_str(), use, needed); });
    if (!OidIsValid(found)) return std::nullopt;
    Target target = open(found, use, needed);
    ++target.locks_;
    return target;
}

} // namespace pgci
