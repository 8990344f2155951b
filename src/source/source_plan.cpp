#include "source/source_plan.hpp"

#include "server/shown_text.hpp"
#include "connection/foreign_number.hpp"
#include "source/plan_scans.hpp"

namespace pgci {

namespace {

constexpr std::int64_t most_plan_bytes = 4 << 20;
constexpr std::int64_t most_plan_lines = 1000000;
constexpr std::size_t longest_filter = 1000;
constexpr std::size_t longest_name = 255;

Question explain(RemoteConnection::Statement query, const std::string &options) {
    const std::string head = "EXPLAIN (" + options + ") ";
    query.sql = head + query.sql;
    query.shown_offset += static_cast<int>(head.size());
    return {
        .kind = "EXPLAIN", .statement = std::move(query), .most_rows = most_plan_lines, .most_bytes = most_plan_bytes};
}

std::string ask_for_plan(SourceSession &source, const RemoteConnection::Statement &query, const std::string &options) {
    const Answer plan = ask(source.connection(), explain(query, options));
    std::string text;
    for (std::size_t i = 0; i < plan.rows(); ++i) text.append(i == 0 ? "" : "\n").append(plan.text(i, 0));
    return text;
}

// Returns the number of rows of a table at the source if reading all of them to find a part is slow; else an empty
// text.
std::string rows_of_large_table(SourceSession &source, const std::string &schema, const std::string &table,
                                std::int64_t estimate) {
    const Answer found =
        ask(source.connection(),
            {.kind = "the question about a table's size",
             .statement =
                 RemoteConnection::Statement{
                     .sql = "SELECT c.reltuples::pg_catalog.int8 FROM pg_catalog.pg_class AS c JOIN "
                            "pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE "
                            "n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.name AND c.relname "
                            "OPERATOR(pg_catalog.=) $2::pg_catalog.name AND c.reltuples OPERATOR(pg_catalog.>=) 100000 "
                            "AND c.reltuples OPERATOR(pg_catalog.>) (5 OPERATOR(pg_catalog.*) $3::pg_catalog.float8)",
                     .parameters = {schema, table, std::to_string(estimate)}},
             .least_rows = 0});
    if (found.rows() == 0) return "";
    return std::to_string(found.integer(0, 0, 0, std::numeric_limits<std::int64_t>::max()));
}

} // namespace

SourcePlan plan_at_source(SourceSession &source, const RemoteConnection::Statement &query) {
    SourcePlan plan;
    plan.text = ask_for_plan(source, query, "FORMAT TEXT");
    plan.json = ask_for_plan(source, query, "VERBOSE, FORMAT JSON");
    plan.rows = rows_of_line(std::string_view(plan.text).substr(0, plan.text.find('\n')));
    return plan;
}

RowEstimate::RowEstimate(SourceSession &source, const RemoteConnection::Statement &query)
    : source_(source), question_(explain(query, "FORMAT TEXT")) {
    // A plan of thousands of partitions is long, but must not be an error.
    question_.most_bytes = 16 * most_plan_bytes;
    question_.longest_row = 3 * most_plan_bytes;
    question_.kept_rows = 1;
    send_question(source.connection(), question_);
}

std::int64_t RowEstimate::receive() {
    return rows_of_line(receive_answer(source_.connection(), question_).text(0, 0)).value_or(0);
}

void check_may_read(SourceSession &source, const SourceQuery &query) {
    const RemoteConnection::Statement statement{
        .sql = query.text(), .shown_query = query.text(), .parameters = query.parameters()};
    (void)RowEstimate(source, statement).receive();
}

std::vector<std::string> find_window_warnings(SourceSession &source, const SourcePlan &plan) {
    std::vector<std::string> warnings;
    const std::optional<std::vector<TextRow>> scans = filtering_scans(plan.json);
    if (!scans) source.connection().raise_protocol_violation("no readable JSON in answer to EXPLAIN");
    for (const TextRow &scan : *scans) {
        const std::string &schema = *scan[0];
        const std::string &table = *scan[1];
        if (schema.size() > longest_name || table.size() > longest_name) continue;
        const std::string rows = rows_of_large_table(source, schema, table, plan.rows.value_or(0));
        if (rows.empty()) continue;
        const std::string filter = sanitize(scan[2]->c_str(), longest_filter);
        std::string warning = "the source reads all ";
        warning.append(rows).append(" rows of ").append(schema).append(".").append(table);
        warning.append(" to find the window, by ").append(filter);
        warning += filter.find(")::date") != std::string::npos
                       ? "; created_at >= $1 AND created_at < $2 can use an index, created_at::date = '{}' cannot"
                       : "; an index would help";
        warnings.push_back(warning);
    }
    return warnings;
}

} // namespace pgci
