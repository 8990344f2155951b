#include "target/worker_settings.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"
#include "server/spi.hpp"
#include "server/text_rows.hpp"
#include "target/other_planner.hpp"

namespace pgci {

namespace {

bool is_stable(Oid function, void *) { return func_volatile(function) == PROVOLATILE_STABLE; }

// Whether the results of an expression depend on settings. now() does not: it returns a moment.
bool depends_on_settings(Node *node, void *) { // NOLINT(misc-no-recursion): as deep as the query
    if (node == nullptr) return false;
    switch (nodeTag(node)) {
    case T_SQLValueFunction: {
        const Oid type = reinterpret_cast<const SQLValueFunction *>(node)->type;
        return type == DATEOID || type == TIMETZOID || type == TIMEOID || type == TIMESTAMPOID;
    }
    case T_Query:
        return query_tree_walker(reinterpret_cast<Query *>(node), compat::tree_walker(depends_on_settings), nullptr, 0);
    case T_FuncExpr:
        if (reinterpret_cast<const FuncExpr *>(node)->args == NIL) return false;
        [[fallthrough]];
    default:
        return check_functions_in_node(node, is_stable, nullptr) ||
               expression_tree_walker(node, compat::tree_walker(depends_on_settings), nullptr);
    }
}

bool query_depends_on_settings(const std::string &query) {
    return pg_call([sql = query.c_str()] {
        spi_connect();
        const auto *const source =
            static_cast<CachedPlanSource *>(linitial(SPI_plan_get_plan_sources(spi_prepare(sql))));
        const bool depends = expression_tree_walker(reinterpret_cast<Node *>(source->query_list),
                                                    compat::tree_walker(depends_on_settings), nullptr);
        spi_finish();
        return depends;
    });
}

// Whether a part of the relations is on other servers only.
bool has_remote_part(const std::string &relations) {
    return !select_rows("SELECT FROM pg_catalog.pg_dist_shard AS s WHERE s.logicalrelid::pg_catalog.oid "
                        "OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[]) AND NOT EXISTS (SELECT FROM "
                        "pg_catalog.pg_dist_placement AS p JOIN pg_catalog.pg_dist_local_group AS l ON l.groupid "
                        "OPERATOR(pg_catalog.=) p.groupid WHERE p.shardid OPERATOR(pg_catalog.=) s.shardid) LIMIT 1",
                        {relations})
                .empty();
}

} // namespace

std::string find_other_settings(const std::string &query, const TimeZone &zone) {
    if (!has_citus()) return "";
    if (!query_depends_on_settings(query) || !has_remote_part(find_read_relations(query))) return "";
    // UTC has several names.
    const auto same_name = [](const std::string &name) {
        return "pg_catalog.regexp_replace(" + name +
               ", '^(Etc/)?(UTC|UCT|GMT|Zulu|Universal|Greenwich)$'::pg_catalog.text, 'UTC')";
    };
    return select_rows(
               "WITH theirs AS MATERIALIZED (SELECT w.nodename, w.nodeport, s.key AS name, s.value FROM "
               "pg_catalog.run_command_on_workers($$SELECT pg_catalog.json_object_agg(name, setting) FROM "
               "pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) ANY ('{TimeZone,DateStyle,IntervalStyle,"
               "bytea_output,extra_float_digits,lc_monetary,lc_numeric,lc_time,default_text_search_config,xmlbinary}'"
               "::pg_catalog.text[])$$) AS w, pg_catalog.json_each_text(CASE WHEN w.success THEN w.result ELSE '{}' "
               "END::pg_catalog.json) AS s), compared AS (SELECT t.nodename, t.nodeport, t.name, t.value, CASE WHEN "
               "t.name OPERATOR(pg_catalog.=) 'TimeZone' THEN $1 ELSE pg_catalog.current_setting(t.name) END AS ours "
               "FROM theirs AS t), different AS (SELECT pg_catalog.format('%s is %s instead of %s on %s', c.name, "
               "c.value, c.ours, pg_catalog.string_agg(pg_catalog.format('%s:%s', c.nodename, c.nodeport), ', ' ORDER "
               "BY c.nodename, c.nodeport)) AS text FROM compared AS c WHERE " +
                   same_name("c.value") + " OPERATOR(pg_catalog.<>) " + same_name("c.ours") +
                   " GROUP BY c.name, c.value, c.ours) SELECT pg_catalog.string_agg(d.text, '; ' ORDER BY d.text) "
                   "FROM different AS d",
               {zone.name()})[0][0]
        .value_or("");
}

} // namespace pgci
