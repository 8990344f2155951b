// Every difference between PostgreSQL versions, so that the rest of the code has no version branch.
#pragma once

#include "server/pg.hpp"

extern "C" {
#include "catalog/pg_extension_d.h"
}

extern "C" {
// Refuses connection options that this server's libpq policy does not know. It came with the minor
// releases that fixed CVE-2026-14661; older servers lack it, so the reference is weak.
extern bool libpqsrv_is_valid_proxy_option(const char *keyword) __attribute__((weak));
}

namespace pgci::compat {

// May a server-side program set this libpq option? True where the server has no opinion.
inline bool is_valid_proxy_option(const char *keyword) {
    return libpqsrv_is_valid_proxy_option == nullptr || libpqsrv_is_valid_proxy_option(keyword);
}

// Does this session have a client, and does this platform tell when it goes?
inline bool can_see_client_leave() {
#if PG_VERSION_NUM >= 150000
    if (!WaitEventSetCanReportClosed()) return false;
#endif
    return MyProcPort != nullptr && whereToSendOutput == DestRemote;
}

inline AclResult foreign_server_aclcheck(Oid server, Oid role, AclMode mode) {
#if PG_VERSION_NUM >= 160000
    return object_aclcheck(ForeignServerRelationId, server, role, mode);
#else
    return pg_foreign_server_aclcheck(server, role, mode);
#endif
}

// May a role that is no superuser use SET ROLE to become the other one?
inline bool may_become(Oid member, Oid role) {
#if PG_VERSION_NUM >= 160000
    return is_member_of_role_nosuper(member, role) && member_can_set_role(member, role);
#else
    return is_member_of_role_nosuper(member, role);
#endif
}

inline bool owns_relation(Oid relation, Oid role) {
#if PG_VERSION_NUM >= 160000
    return object_ownercheck(RelationRelationId, relation, role);
#else
    return pg_class_ownercheck(relation, role);
#endif
}

// The identifiers of a name such as schema.relation. Raises 42602 for what is no name.
inline List *parse_qualified_name(const char *name) {
#if PG_VERSION_NUM >= 160000
    return stringToQualifiedNameList(name, nullptr);
#else
    return stringToQualifiedNameList(name);
#endif
}

// What the execution of a statement asks of one relation.
struct NeededRights {
    Oid relation;
    Oid user; // 0: the current one
    AclMode rights;
    const Bitmapset *selected; // columns, as FirstLowInvalidHeapAttributeNumber counts them
    const Bitmapset *inserted;
    const Bitmapset *updated;
};

#if PG_VERSION_NUM >= 160000
inline const List *needed_rights(const PlannedStmt *statement) { return statement->permInfos; }
inline const List *needed_rights(const Query *query) { return query->rteperminfos; }
#endif

// Of a planned statement, or of a query without those in it.
template <class Statement, class Visitor> void for_each_needed_right(const Statement *statement, Visitor &&visitor) {
#if PG_VERSION_NUM >= 160000
    const List *const needed = needed_rights(statement);
    for (int i = 0; i < list_length(needed); ++i) {
        const auto *const info = static_cast<const RTEPermissionInfo *>(list_nth(needed, i));
        visitor(NeededRights{info->relid, info->checkAsUser, info->requiredPerms, info->selectedCols,
                             info->insertedCols, info->updatedCols});
    }
#else
    for (int i = 0; i < list_length(statement->rtable); ++i) {
        const auto *const entry = static_cast<const RangeTblEntry *>(list_nth(statement->rtable, i));
        if (entry->rtekind == RTE_RELATION)
            visitor(NeededRights{entry->relid, entry->checkAsUser, entry->requiredPerms, entry->selectedCols,
                                 entry->insertedCols, entry->updatedCols});
    }
#endif
}

// Makes the target of an INSERT the only entry of the executor's range table, after the check that the current user may
// run the INSERT.
inline void init_insert_range_table(EState *state, const Query *insert) {
    auto *const entry = static_cast<RangeTblEntry *>(list_nth(insert->rtable, insert->resultRelation - 1));
#if PG_VERSION_NUM >= 160000
    ExecCheckPermissions(insert->rtable, insert->rteperminfos, true);
#if PG_VERSION_NUM >= 180000
    ExecInitRangeTable(state, list_make1(entry), insert->rteperminfos, bms_make_singleton(1));
#else
    ExecInitRangeTable(state, list_make1(entry), insert->rteperminfos);
#endif
#else
    ExecCheckRTPerms(insert->rtable, true);
    ExecInitRangeTable(state, list_make1(entry));
#endif
}

// Enters a row into the indexes; returns those whose uniqueness or exclusion is checked later.
inline List *insert_index_tuples(ResultRelInfo *result, TupleTableSlot *row, EState *state) {
#if PG_VERSION_NUM >= 160000
    return ExecInsertIndexTuples(result, row, state, false, false, nullptr, NIL, false);
#else
    return ExecInsertIndexTuples(result, row, state, false, false, nullptr, NIL);
#endif
}

// Checks that the current user may insert into columns of the relation of `item`, as COPY checks it.
inline void check_may_insert(ParseState *state, ParseNamespaceItem *item, Bitmapset *columns) {
#if PG_VERSION_NUM >= 160000
    item->p_perminfo->requiredPerms = ACL_INSERT;
    item->p_perminfo->insertedCols = columns;
    ExecCheckPermissions(state->p_rtable, list_make1(item->p_perminfo), true);
#else
    item->p_rte->requiredPerms = ACL_INSERT;
    item->p_rte->insertedCols = columns;
    ExecCheckRTPerms(state->p_rtable, true);
#endif
}

// Does this process hold the lock?
inline bool holds_lock(const LOCKTAG &tag, LOCKMODE mode) {
#if PG_VERSION_NUM >= 170000
    return LockHeldByMe(&tag, mode, false);
#else
    return LockHeldByMe(&tag, mode);
#endif
}

// A walker as the functions of nodeFuncs.h take it.
#if PG_VERSION_NUM >= 160000
inline tree_walker_callback tree_walker(bool (*walker)(Node *, void *)) { return walker; }
#else
inline auto tree_walker(bool (*walker)(Node *, void *)) {
    return reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(walker));
}
#endif

// The analysis of a statement without parameters; no rule is applied.
inline Query *analyze(RawStmt *statement, const char *text) {
#if PG_VERSION_NUM >= 150000
    return parse_analyze_fixedparams(statement, text, nullptr, 0, nullptr);
#else
    return parse_analyze(statement, text, nullptr, 0, nullptr);
#endif
}

// A lexer over one JSON text that decodes string escapes; errors come back as codes, nothing is thrown.
inline JsonLexContext *make_json_lexer(char *json, int length) {
#if PG_VERSION_NUM >= 170000
    return makeJsonLexContextCstringLen(nullptr, json, length, PG_UTF8, true);
#else
    return makeJsonLexContextCstringLen(json, length, PG_UTF8, true);
#endif
}

// What a callback of the JSON parser returns.
#if PG_VERSION_NUM >= 160000
using JsonAction = JsonParseErrorType;
inline JsonAction json_action_done() { return JSON_SUCCESS; }
#else
using JsonAction = void;
inline JsonAction json_action_done() {}
#endif

} // namespace pgci::compat
