#include "ledger/rejected_rows.hpp"

#include <algorithm>

#include "server/guard.hpp"
#include "request/option_arguments.hpp"
#include "ledger/coverage.hpp"
#include "ledger/stored_options.hpp"

namespace pgci {

namespace {

template <class List, class TextOf> Parameter texts_of(const List &list, TextOf text_of) {
    std::vector<std::string> texts;
    texts.reserve(list.size());
    for (const auto &element : list) texts.push_back(text_of(element));
    return texts_parameter(texts);
}

std::vector<std::optional<std::string>> read_texts(Datum array) {
    Datum *elements = nullptr;
    bool *nulls = nullptr;
    int count = 0;
    pg_call([&] {
        deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
        for (int i = 0; i < count; ++i)
            if (!nulls[i]) elements[i] = CStringGetDatum(TextDatumGetCString(elements[i]));
    });
    std::vector<std::optional<std::string>> texts(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i)
        if (!nulls[i]) texts[static_cast<std::size_t>(i)] = DatumGetCString(elements[i]);
    return texts;
}

void check_count(std::int64_t run_id, std::int64_t written, std::size_t wanted) {
    if (written == static_cast<std::int64_t>(wanted)) return;
    raise(sqlstate::not_in_prerequisite_state,
          std::to_string(written) + " instead of " + std::to_string(wanted) + " rejected rows of run " +
              std::to_string(run_id) + " were changed",
          "Look for triggers and rules on pgci_rejects.", "Nothing was loaded.");
}

} // namespace

RejectedRows::RejectedRows(Oid schema, std::int64_t run_id)
    : run_id_(run_id), runs_(schema, "pgci_runs"), rejects_(schema, "pgci_rejects") {}

void RejectedRows::store(const WaysOfRows &ways) const {
    std::vector<Parameter> parameters{
        int8_parameter(run_id_),
        text_parameter(ways.zone),
        text_parameter(ways.slice),
        texts_of(ways.columns, [](const SourceColumn &column) { return column.name; }),
        texts_of(ways.columns, [](const SourceColumn &column) { return std::to_string(column.type); }),
        texts_of(ways.columns, [](const SourceColumn &column) { return std::to_string(column.typmod); }),
        texts_of(ways.columns, [](const SourceColumn &column) { return column.is_text_only ? "true" : "false"; })};
    const std::string options = options_to_store(values_of(ways.options), parameters);
    run_as_owner(runs_.owner(),
                 "UPDATE " + runs_.name() +
                     " SET retry = jsonb_build_object('time_zone', $2, 'slice', $3, 'options', " + options +
                     ", 'columns', (SELECT jsonb_agg(jsonb_build_object('name', c.name, 'type', c.type, 'typmod', "
                     "c.typmod, 'is_text_only', c.is_text_only) ORDER BY c.n) FROM unnest($4, $5, $6, $7) WITH "
                     "ORDINALITY AS c(name, type, typmod, is_text_only, n))) WHERE run_id = $1",
                 parameters);
}

std::vector<SourceColumn> RejectedRows::find_columns() const {
    std::vector<SourceColumn> columns;
    for (const NamedValues &row :
         select_as_owner(runs_.owner(),
                         "SELECT c.name, c.type, c.typmod, c.is_text_only FROM " + runs_.name() +
                             " AS r, jsonb_to_recordset(r.retry->'columns') AS c(name text, type oid, typmod integer, "
                             "is_text_only boolean) WHERE r.run_id = $1",
                         {int8_parameter(run_id_)}, true))
        columns.push_back({.name = row.required_text("name"),
                           .type = row.oid("type"),
                           .typmod = DatumGetInt32(row.value("typmod")),
                           .is_text_only = DatumGetBool(row.value("is_text_only"))});
    return columns;
}

RejectingRun RejectedRows::find() const {
    const std::vector<NamedValues> rows = select_as_owner(
        runs_.owner(),
        "SELECT coalesce((SELECT a.oid FROM pg_roles AS a WHERE a.oid = r.owner), 0) AS owner, CASE WHEN "
        "r.status = 'forgotten' OR isempty(r.forgotten) AND isempty(r.forgotten_ids) THEN r.status ELSE 'forgotten in "
        "part' END AS status, r.target::oid "
        "AS target_oid, lower(r.data_interval) AS start, upper(r.data_interval) AS end, lower(r.id_range) AS first_id, "
        "upper(r.id_range) AS end_id, r.source, r.server::oid AS "
        "server, r.source_place, r.source_tables, r.query_hash, r.column_time_zone AS zone_of_column, "
        "coalesce(r.job_id, 0) AS job_id, coalesce(r.settled, upper(r.data_interval) <= r.started_at, true) AS "
        "settled, "
        "r.rejects, coalesce(r.retry->>'slice', '') AS slice, coalesce(r.retry->>'time_zone', 'UTC') AS time_zone, "
        "o.* "
        "FROM " +
            runs_.name() + " AS r, " + stored_options("coalesce(r.retry->'options', '{}')") +
            " AS o WHERE r.run_id = $1",
        {int8_parameter(run_id_)}, true);
    if (rows.empty())
        raise(sqlstate::undefined_object, "run " + std::to_string(run_id_) + " does not exist",
              "The view copy_incremental_rejects has the run_id of each rejected row.");
    const NamedValues &row = rows.front();
    RejectingRun run{.owner = row.oid("owner"),
                     .status = row.required_text("status"),
                     .is_settled = DatumGetBool(row.value("settled")),
                     .rejects = DatumGetInt64(row.value("rejects")),
                     .ways = {.columns = find_columns(),
                              .slice = row.required_text("slice"),
                              .zone = row.required_text("time_zone")}};
    read_options(row, run.ways.options);
    run.key = {.target = row.oid("target_oid"),
               .source = {.name = row.required_text("source"),
                          .server = row.oid("server"),
                          .place = row.required_text("source_place")},
               .query_hash = row.required_text("query_hash"),
               .column_time_zone = row.optional_text("zone_of_column").value_or(""),
               .job_id = DatumGetInt64(row.value("job_id"))};
    for (const std::optional<std::string> &table : read_texts(row.value("source_tables")))
        run.key.source_tables.push_back(*table);
    if (!row.is_null("start"))
        run.key.window =
            Window::of_span({DatumGetTimestampTz(row.value("start")), DatumGetTimestampTz(row.value("end"))},
                            TimeZone::resolve(run.ways.zone.c_str()));
    if (!row.is_null("first_id"))
        run.key.window = Window::of_ids({DatumGetInt64(row.value("first_id")), DatumGetInt64(row.value("end_id"))});
    return run;
}

std::vector<RejectedRow> RejectedRows::next(std::int64_t after, const std::vector<std::string> &columns, int most,
                                            std::int64_t max_bytes) const {
    std::vector<RejectedRow> rows;
    for (const NamedValues &row : select_as_owner(
             rejects_.owner(),
             "SELECT r.reject, (SELECT array_agg(r.source_row->>c.name ORDER BY c.n) FROM unnest($3) WITH ORDINALITY "
             "AS c(name, n)) AS texts FROM (SELECT reject, source_row, sum(octet_length(source_row::text)) OVER (ORDER "
             "BY reject ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before FROM " +
                 rejects_.name() +
                 " WHERE run_id = $1 AND reject > $2 AND loaded_by IS NULL AND is_whole AND jsonb_exists_all("
                 "source_row, $3) ORDER BY reject LIMIT $4) AS r WHERE coalesce(r.bytes_before, 0) < $5 ORDER BY 1",
             {int8_parameter(run_id_), int8_parameter(after), texts_parameter(columns), int8_parameter(most),
              int8_parameter(max_bytes)},
             true))
        rows.push_back({DatumGetInt64(row.value("reject")), read_texts(row.value("texts"))});
    return rows;
}

void RejectedRows::mark_loaded(const std::vector<std::int64_t> &numbers, std::int64_t by) const {
    if (numbers.empty()) return;
    check_count(run_id_,
                run_as_owner(rejects_.owner(),
                             "UPDATE " + rejects_.name() +
                                 " SET loaded_by = $2 WHERE run_id = $1 AND reject = ANY ($3::bigint[])",
                             {int8_parameter(run_id_), int8_parameter(by),
                              texts_of(numbers, [](std::int64_t number) { return std::to_string(number); })})
                    .processed,
                numbers.size());
}

void RejectedRows::mark_failed(const std::vector<RejectedAgain> &rows) const {
    if (rows.empty()) return;
    check_count(
        run_id_,
        run_as_owner(rejects_.owner(),
                     "UPDATE " + rejects_.name() +
                         " AS r SET sqlstate = f.sqlstate, message = f.message, detail = nullif(f.detail, ''), "
                         "constraint_name = nullif(f.constraint_name, ''), column_name = nullif(f.column_name, '') "
                         "FROM unnest($2, $3, $4, $5, $6, $7) AS f(reject, sqlstate, message, detail, "
                         "constraint_name, column_name) WHERE r.run_id = $1 AND r.reject = f.reject::bigint",
                     {int8_parameter(run_id_),
                      texts_of(rows, [](const RejectedAgain &row) { return std::to_string(row.number); }),
                      texts_of(rows, [](const RejectedAgain &row) { return row.failure.sqlstate(); }),
                      texts_of(rows, [](const RejectedAgain &row) { return row.failure.message; }),
                      texts_of(rows, [](const RejectedAgain &row) { return row.failure.detail; }),
                      texts_of(rows, [](const RejectedAgain &row) { return row.failure.constraint; }),
                      texts_of(rows, [](const RejectedAgain &row) { return row.failure.column; })})
            .processed,
        rows.size());
}

std::int64_t RejectedRows::count_again() const {
    return run_as_owner(runs_.owner(),
                        "UPDATE " + runs_.name() + " AS r SET rejects = (SELECT count(*) FROM " + rejects_.name() +
                            " AS j WHERE j.run_id = r.run_id AND j.loaded_by IS NULL) WHERE r.run_id = $1 RETURNING "
                            "rejects",
                        {int8_parameter(run_id_)})
        .number;
}

std::vector<Span> find_windows_with_rejects(Oid schema, const Job &job) {
    const OwnTable runs(schema, "pgci_runs");
    const WindowColumns &columns = columns_of(job.kind());
    std::vector<Span> windows;
    for (const NamedValues &row : select_as_owner(
             runs.owner(),
             std::string("SELECT lower(span) AS start, upper(span) AS end FROM (SELECT unnest(range_agg(") +
                 columns.multirange + "(" + columns.of_run + ") - " + columns.of_forgotten + ")) AS span FROM " +
                 runs.name() + " WHERE job_id = $1 AND rejects > 0 AND status = 'succeeded') AS spans ORDER BY 1",
             {int8_parameter(job.id)}, true))
        windows.push_back({DatumGetInt64(row.value("start")), DatumGetInt64(row.value("end"))});
    return windows;
}

std::string describe_windows_with_rejects(Oid schema, const Job &job, Span span) {
    const std::vector<Span> covered = Coverage(schema, job.kind()).find(job.id);
    const std::vector<Span> windows = find_windows_with_rejects(schema, job);
    const auto is_incomplete = [&](const Span &window) {
        return window.start < span.end && span.start < window.end && !uncovered(window, covered).empty();
    };
    if (std::none_of(windows.begin(), windows.end(), is_incomplete)) return "";
    return "Windows with rejected rows are not loaded again; copy_incremental_jobs shows the runs for "
           "copy_incremental_retry_rejects().";
}

std::vector<Span> find_tried_windows(Oid schema, const Job &job) {
    std::vector<Span> spans = Coverage(schema, job.kind()).find(job.id);
    const std::vector<Span> rejecting = find_windows_with_rejects(schema, job);
    spans.insert(spans.end(), rejecting.begin(), rejecting.end());
    std::sort(spans.begin(), spans.end(), [](const Span &a, const Span &b) { return a.start < b.start; });
    std::vector<Span> united;
    for (const Span &span : spans) {
        if (!united.empty() && span.start <= united.back().end)
            united.back().end = std::max(united.back().end, span.end);
        else
            united.push_back(span);
    }
    return united;
}

} // namespace pgci
