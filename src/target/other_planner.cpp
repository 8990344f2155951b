#include "target/other_planner.hpp"

#include "server/guard.hpp"
#include "server/spi.hpp"
#include "server/text_rows.hpp"
#include "server/user_text.hpp"

namespace pgci {

namespace {

planner_hook_type own_planner = nullptr;
bool has_previous_planner = false;

bool has_other_planner() { return has_previous_planner || planner_hook != own_planner; }

// Of a statement that is one query. Rules turn it into several, or none.
bool is_own_plan(SPIPlanPtr statement) {
    CachedPlan *const plan = SPI_plan_get_cached_plan(statement);
    if (plan == nullptr) return true;
    const bool is_own = list_length(plan->stmt_list) != 1 ||
                        IsA(static_cast<const PlannedStmt *>(linitial(plan->stmt_list))->planTree, ModifyTable);
    ReleaseCachedPlan(plan, nullptr);
    return is_own;
}

bool is_worker_of_citus() {
    if (!has_citus()) return false;
    return select_rows("SELECT FROM pg_catalog.pg_dist_local_group WHERE groupid OPERATOR(pg_catalog.>) 0", {}).size() >
           0;
}

bool is_columnar(const Target &target) {
    return !select_rows("SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_am AS a ON a.oid "
                        "OPERATOR(pg_catalog.=) c.relam WHERE c.oid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND "
                        "a.amname OPERATOR(pg_catalog.=) 'columnar'",
                        {std::to_string(target.oid())})
                .empty();
}

} // namespace

void note_planner(planner_hook_type planner, planner_hook_type previous) {
    own_planner = planner;
    has_previous_planner = previous != nullptr;
}

bool has_citus() {
    if (!has_other_planner()) return false;
    return select_rows("SELECT pg_catalog.to_regclass('pg_catalog.pg_dist_local_group') IS NOT NULL")[0][0] == "t";
}

std::string find_read_relations(const std::string &query) {
    return pg_call([sql = query.c_str()] {
        const MemoryContext memory = CurrentMemoryContext;
        spi_connect();
        const auto *const source =
            static_cast<CachedPlanSource *>(linitial(SPI_plan_get_plan_sources(spi_prepare(sql))));
        const MemoryContext inner = MemoryContextSwitchTo(memory);
        StringInfoData list;
        initStringInfo(&list);
        appendStringInfoChar(&list, '{');
        for (int i = 0; i < list_length(source->relationOids); ++i)
            appendStringInfo(&list, i == 0 ? "%u" : ",%u", list_nth_oid(source->relationOids, i));
        appendStringInfoChar(&list, '}');
        MemoryContextSwitchTo(inner);
        spi_finish();
        return list.data;
    });
}

bool reads_citus_table(const std::string &query) {
    return has_citus() && !select_rows("SELECT FROM pg_catalog.pg_dist_partition WHERE logicalrelid::pg_catalog.oid "
                                       "OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[]) LIMIT 1",
                                       {find_read_relations(query)})
                               .empty();
}

bool is_planned_by_other(const Target &target, const std::string &insert) {
    if (!has_other_planner()) return false;
    try {
        return pg_call([sql = insert.c_str(), used = target.used_for(ACL_INSERT)] {
            spi_connect();
            const bool is_own = is_own_plan(spi_prepare(sql, used));
            spi_finish();
            return !is_own;
        });
    } catch (const PgError &error) {
        hide_statement(error.data(), insert);
        throw;
    }
}

void check_other_planner(const Target &target, Mode mode) {
    if (is_worker_of_citus())
        raise(sqlstate::feature_not_supported, "cannot copy into " + target.name() + " on a worker of Citus",
              "Run it on the coordinator.",
              "Each node has a ledger of its own, so the same window would be loaded on each of them.");
    if (mode != Mode::append && is_columnar(target))
        raise(sqlstate::feature_not_supported,
              "mode " + std::string(word_of(mode)) + " cannot write to " + target.name() + ", which is columnar",
              "Use mode append.", "Columnar tables have no UPDATE, DELETE and ON CONFLICT.");
}

} // namespace pgci
