// The differences between PostgreSQL versions. No other file depends on the server's version.
#pragma once

#include "server/pg.hpp"

extern "C" {
#include "catalog/pg_extension_d.h"
}

extern "C" {
// Returns false for connection options that this server's libpq policy does not know. The minor releases that fixed
// CVE-2026-14661 added this function; older servers lack it, so the reference is weak.
extern bool libpqsrv_is_valid_proxy_option(const char *keyword) __attribute__((weak));
}

namespace pgci::compat {

// Returns whether a server-side program may set this libpq option: true if the server has no such policy.
inline bool is_valid_proxy_option(const char *keyword) {
    return libpqsrv_is_valid_proxy_option == nullptr || libpqsrv_is_valid_proxy_option(keyword);
}

// Returns whether this session has a client and the platform can report that the client has closed the connection.
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

// Returns whether a role, not counting superuser status, may use SET ROLE to become the other role.
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

// Splits a name such as schema.relation into identifiers. Raises 42602 for an invalid name.
inline List *parse_qualified_name(const char *name) {
#if PG_VERSION_NUM >= 160000
    return stringToQualifiedNameList(name, nullptr);
#else
    return stringToQualifiedNameList(name);
#endif
}

// The privileges on one relation that the execution of a statement requires.
struct NeededRights {
    Oid relation;
    Oid user; // 0: the current user
    AclMode rights;
    const Bitmapset *selected; // column numbers minus FirstLowInvalidHeapAttributeNumber
    const Bitmapset *inserted;
    const Bitmapset *updated;
};

// Calls the visitor for each relation of a query except those of its subqueries.
template <class Visitor> void for_each_needed_right(const Query *query, Visitor &&visitor) {
#if PG_VERSION_NUM >= 160000
    const List *const needed = query->rteperminfos;
    for (int i = 0; i < list_length(needed); ++i) {
        const auto *const info = static_cast<const RTEPermissionInfo *>(list_nth(needed, i));
        visitor(NeededRights{info->relid, info->checkAsUser, info->requiredPerms, info->selectedCols,
                             info->insertedCols, info->updatedCols});
    }
#else
    for (int i = 0; i < list_length(query->rtable); ++i) {
        const auto *const entry = static_cast<const RangeTblEntry *>(list_nth(query->rtable, i));
        if (entry->rtekind == RTE_RELATION)
            visitor(NeededRights{entry->relid, entry->checkAsUser, entry->requiredPerms, entry->selectedCols,
                                 entry->insertedCols, entry->updatedCols});
    }
#endif
}

// Inserts index entries for a row. Returns the indexes whose uniqueness or exclusion constraint is checked later.
inline List *insert_index_tuples(ResultRelInfo *result, TupleTableSlot *row, EState *state) {
#if PG_VERSION_NUM >= 160000
    return ExecInsertIndexTuples(result, row, state, false, false, nullptr, NIL, false);
#else
    return ExecInsertIndexTuples(result, row, state, false, false, nullptr, NIL);
#endif
}

// Returns how to convert a row of a partitioned table to a row of its partition; null if both have the same columns.
inline const TupleConversionMap *root_to_partition_map(ResultRelInfo *partition, EState *state) {
#if PG_VERSION_NUM >= 160000
    return ExecGetRootToChildMap(partition, state);
#else
    (void)state;
    return partition->ri_RootToPartitionMap;
#endif
}

// Checks that the current user may insert into these columns of the relation of `item`, as COPY does. Raises 42501.
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

inline RangeType *make_range(TypeCacheEntry *type, RangeBound *lower, RangeBound *upper) {
#if PG_VERSION_NUM >= 160000
    return ::make_range(type, lower, upper, false, nullptr);
#else
    return ::make_range(type, lower, upper, false);
#endif
}

// Returns the begin of the WAL record of a sequence.
inline xl_seq_rec sequence_record(Relation sequence) {
    xl_seq_rec record{};
#if PG_VERSION_NUM >= 160000
    record.locator = sequence->rd_locator;
#else
    record.node = sequence->rd_node;
#endif
    return record;
}

// Returns whether this process holds the lock.
inline bool holds_lock(const LOCKTAG &tag, LOCKMODE mode) {
#if PG_VERSION_NUM >= 170000
    return LockHeldByMe(&tag, mode, false);
#else
    return LockHeldByMe(&tag, mode);
#endif
}

// Converts a walker to the type that the functions of nodeFuncs.h expect.
#if PG_VERSION_NUM >= 160000
inline tree_walker_callback tree_walker(bool (*walker)(Node *, void *)) { return walker; }
#else
inline auto tree_walker(bool (*walker)(Node *, void *)) {
    return reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(walker));
}
#endif

// Copies an expression, or a list of them, with a mutator.
inline Node *mutate_expression(Node *node, Node *(*mutator)(Node *, void *), void *context) {
#if PG_VERSION_NUM >= 160000
    return expression_tree_mutator(node, mutator, context);
#else
    return expression_tree_mutator(node, reinterpret_cast<Node *(*)()>(reinterpret_cast<void (*)()>(mutator)), context);
#endif
}

// Analyzes a statement without parameters. Does not apply rules.
inline Query *analyze(RawStmt *statement, const char *text) {
#if PG_VERSION_NUM >= 150000
    return parse_analyze_fixedparams(statement, text, nullptr, 0, nullptr);
#else
    return parse_analyze(statement, text, nullptr, 0, nullptr);
#endif
}

// Creates a lexer for one JSON text that decodes string escapes. The parser returns errors as codes and raises none.
inline JsonLexContext *make_json_lexer(char *json, int length) {
#if PG_VERSION_NUM >= 170000
    return makeJsonLexContextCstringLen(nullptr, json, length, PG_UTF8, true);
#else
    return makeJsonLexContextCstringLen(json, length, PG_UTF8, true);
#endif
}

// The return type of the JSON parser's callbacks.
#if PG_VERSION_NUM >= 160000
using JsonAction = JsonParseErrorType;
inline JsonAction json_action_done() { return JSON_SUCCESS; }
#else
using JsonAction = void;
inline JsonAction json_action_done() {}
#endif

} // namespace pgci::compat
