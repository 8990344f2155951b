#include "source/source_plan.hpp"

#include <charconv>

#include "server/text_rows.hpp"

namespace pgci {

namespace {

std::string explain(SourceSession &source, RemoteConnection::Statement query, const std::string &options) {
    const std::string head = "EXPLAIN (" + options + ") ";
    query.sql = head + query.sql;
    query.shown_offset += static_cast<int>(head.size());
    const Result plan = source.connection().run(query, PGRES_TUPLES_OK);
    std::string text;
    for (int i = 0; i < PQntuples(plan.get()); ++i)
        text.append(i == 0 ? "" : "\n").append(PQgetvalue(plan.get(), i, 0));
    return text;
}

// The rows of a table of the source, where they are so many that reading all of them for a part is slow; else empty.
std::string rows_of_large_table(SourceSession &source, const std::string &schema, const std::string &table,
                                const std::string &estimate) {
    const Result found = source.connection().run(
        {.sql = "SELECT c.reltuples::pg_catalog.int8 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n "
                "ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE n.nspname OPERATOR(pg_catalog.=) "
                "$1::pg_catalog.name AND c.relname OPERATOR(pg_catalog.=) $2::pg_catalog.name AND c.reltuples "
                "OPERATOR(pg_catalog.>=) 100000 AND c.reltuples OPERATOR(pg_catalog.>) (5 OPERATOR(pg_catalog.*) "
                "$3::pg_catalog.float8)",
         .parameters = {schema, table, estimate}},
        PGRES_TUPLES_OK);
    return PQntuples(found.get()) == 1 ? PQgetvalue(found.get(), 0, 0) : "";
}

} // namespace

SourcePlan plan_at_source(SourceSession &source, const RemoteConnection::Statement &query) {
    SourcePlan plan;
    plan.text = explain(source, query, "FORMAT TEXT");
    plan.json = explain(source, query, "VERBOSE, FORMAT JSON");
    plan.rows = select_rows("SELECT pg_catalog.jsonb_path_query_first($1::pg_catalog.jsonb, "
                            "'$[0].\"Plan\".\"Plan Rows\"')",
                            {plan.json})[0][0]
                    .value_or("");
    return plan;
}

std::int64_t estimate_rows(SourceSession &source, const RemoteConnection::Statement &query) {
    const std::string plan = explain(source, query, "FORMAT JSON");
    // At the indentation of the topmost node; text of the query's own has its line breaks and quotes escaped.
    constexpr std::string_view label = "\n      \"Plan Rows\": ";
    const std::size_t place = plan.find(label);
    std::int64_t rows = 0;
    if (place != std::string::npos)
        std::from_chars(plan.data() + place + label.size(), plan.data() + plan.size(), rows);
    return rows;
}

std::vector<std::string> find_window_warnings(SourceSession &source, const SourcePlan &plan) {
    const std::vector<TextRow> scans = select_rows(
        "SELECT DISTINCT node OPERATOR(pg_catalog.->>) 'Schema', node OPERATOR(pg_catalog.->>) 'Relation Name', node "
        "OPERATOR(pg_catalog.->>) 'Filter' FROM pg_catalog.jsonb_path_query($1::pg_catalog.jsonb, 'strict $.** ? "
        "(@.\"Node Type\" == \"Seq Scan\" && exists(@.\"Filter\"))') AS node",
        {plan.json});
    std::vector<std::string> warnings;
    for (const TextRow &scan : scans) {
        const std::string rows = rows_of_large_table(source, *scan[0], *scan[1], plan.rows);
        if (rows.empty()) continue;
        std::string warning = "the source reads all " + rows + " rows of " + *scan[0] + "." + *scan[1] +
                              " to find the window, by " + *scan[2];
        warning += scan[2]->find(")::date") != std::string::npos
                       ? "; created_at >= $1 AND created_at < $2 can use an index, created_at::date = '{}' cannot"
                       : "; an index would help";
        warnings.push_back(warning);
    }
    return warnings;
}

} // namespace pgci
