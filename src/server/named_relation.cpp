#include "server/named_relation.hpp"

#include "server/compat.hpp"
#include "server/spi.hpp"

namespace pgci {

namespace {

// Returns whether the query uses the relation in this way. A view or a table with rules is still in the range table
// after the rewriter has replaced it, because its privileges are checked.
bool uses(const Query *query, const UsedRelation &relation) {
    bool found = false;
    compat::for_each_needed_right(query, [&](const compat::NeededRights &needed) {
        if (needed.relation == relation.oid && (needed.rights & relation.use) != 0) found = true;
    });
    for (int i = 0; i < list_length(query->cteList); ++i) {
        const auto *const entry = static_cast<const CommonTableExpr *>(list_nth(query->cteList, i));
        if (uses(reinterpret_cast<const Query *>(entry->ctequery), relation)) found = true;
    }
    for (int i = 0; i < list_length(query->rtable); ++i) {
        const auto *const entry = static_cast<const RangeTblEntry *>(list_nth(query->rtable, i));
        if (entry->rtekind == RTE_SUBQUERY && uses(entry->subquery, relation)) found = true;
    }
    return found;
}

} // namespace

void check_uses(SPIPlanPtr plan, const UsedRelation &relation) {
    const List *const sources = SPI_plan_get_plan_sources(plan);
    bool is_empty = true; // a rule DO INSTEAD NOTHING leaves no query
    for (int i = 0; i < list_length(sources); ++i) {
        const List *const queries = static_cast<const CachedPlanSource *>(list_nth(sources, i))->query_list;
        for (int j = 0; j < list_length(queries); ++j) {
            is_empty = false;
            if (uses(static_cast<const Query *>(list_nth(queries, j)), relation)) return;
        }
    }
    if (!is_empty) raise_replaced(relation.name);
}

SPIPlanPtr spi_prepare(const char *sql, const UsedRelation &relation, int count, Oid *types) {
    const SPIPlanPtr plan = spi_prepare(sql, count, types);
    check_uses(plan, relation);
    return plan;
}

void spi_execute(SPIPlanPtr plan, const UsedRelation &relation, Snapshot snapshot, Snapshot crosscheck,
                 bool fires_triggers) {
    check_uses(plan, relation);
    const int code = SPI_execute_snapshot(plan, nullptr, nullptr, snapshot, crosscheck, false, fires_triggers, 0);
    if (code < 0) raise_spi("SPI_execute", code);
    // SPI may have analyzed the statement again before it executed it.
    check_uses(plan, relation);
}

const char *qualified_name(Oid relation) {
    const char *const name = get_rel_name(relation);
    return name == nullptr ? nullptr
                           : quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), name);
}

Oid find_relation(const char *name) {
    return RangeVarGetRelid(makeRangeVarFromNameList(compat::parse_qualified_name(name)), NoLock, true);
}

bool has_any_privilege(Oid relation, AclMode privileges) {
    const Oid user = GetUserId();
    return pg_class_aclcheck(relation, user, privileges) == ACLCHECK_OK ||
           pg_attribute_aclcheck_all(relation, user, privileges, ACLMASK_ANY) == ACLCHECK_OK;
}

void raise_replaced(const char *name) {
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("target %s was replaced while the run was under way", name),
             errdetail("The name no longer means the relation that the run began to write to: it, or its schema, was "
                       "renamed."),
             errhint("Run it again when the name refers to the intended relation.")));
    pg_unreachable();
}

} // namespace pgci
