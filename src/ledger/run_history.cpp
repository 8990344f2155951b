#include "ledger/run_history.hpp"

#include <iterator>
#include <sstream>

#include "server/extension.hpp"
#include "server/guard.hpp"
#include "server/sql_text.hpp"
#include "ledger/related_tables.hpp"

namespace pgci {

namespace {

std::vector<std::size_t> places(const OwnerResult &row) {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < row.count; ++i) found.push_back(static_cast<std::size_t>(row.numbers[i]) - 1);
    return found;
}

// The OID of the role that ran a run.
constexpr const char *role_of_run = "owner::oid::bigint";

// The conditions below are on the table of runs, and have the parameters of a key.
constexpr const char *into_target = "target = $1::oid";
// A window of time and one of ids may have the same rows.
constexpr const char *overlaps =
    "(data_interval IS NULL OR $4 IS NULL OR data_interval && $4) AND (id_range IS NULL OR "
    "$5 IS NULL OR id_range && $5)";
constexpr const char *from_source = "(server::oid <> 0 AND server::oid = $7::oid OR source_place = $8)";

constexpr const char *has_rows = "status IN ('succeeded', 'partial')";
// What has rows of the window that are not forgotten.
std::string has_rows_of_window() {
    return std::string(has_rows) + " AND " + overlaps +
           " AND (data_interval * $4 <@ forgotten) IS NOT TRUE AND (id_range * $5 <@ forgotten_ids) IS NOT TRUE";
}

// $10 are the OIDs of tables.
constexpr const char *into_tables = "target = ANY ($10::oid[])";
// Those of find_line().
std::string into_same_rows() { return std::string(into_tables) + " AND " + from_source; }
std::string of_same_query() { return "(job_id = $6 OR " + into_same_rows() + " AND query_hash = $3)"; }

// Whether no job has this number.
std::string has_no_job(Oid schema, const char *number) {
    return "NOT EXISTS (SELECT FROM " + OwnTable(schema, "pgci_jobs").name() + " AS j WHERE j.job_id = " + number + ")";
}

std::vector<Parameter> parameters_with(const RunKey &key, const std::vector<std::string> &tables) {
    std::vector<Parameter> parameters = key_parameters(key);
    parameters.push_back(texts_parameter(tables));
    return parameters;
}

std::vector<Oid> oids_of(const std::string &text) {
    std::istringstream words(text);
    return {std::istream_iterator<Oid>(words), {}};
}

} // namespace

std::string of_same_window(const RunKey &key) {
    return (key.job_id != 0
                ? std::string("job_id = $6")
                : std::string("job_id IS NULL AND query_hash = $3 AND ") + into_target + " AND " + from_source) +
           " AND data_interval IS NOT DISTINCT FROM $4 AND id_range IS NOT DISTINCT FROM $5";
}

std::vector<Parameter> key_parameters(const RunKey &key) {
    return {int8_parameter(key.target),
            text_parameter(key.source.name),
            text_parameter(key.query_hash),
            window_parameter(key, WindowKind::time),
            window_parameter(key, WindowKind::ids),
            Parameter{INT8OID, Int64GetDatum(key.job_id), key.job_id == 0},
            int8_parameter(key.source.server),
            text_parameter(key.source.place),
            texts_parameter(key.source_tables)};
}

Parameter lock_class_parameter(LockClass lock_class) { return int8_parameter(static_cast<std::int64_t>(lock_class)); }

RunHistory::RunHistory(Oid schema) : schema_(schema), table_(schema, "pgci_runs") {}

LoadedRuns RunHistory::find_loaded(const RunKey &key) const {
    const bool is_of_ids = key.window && key.window->is_of_ids();
    const WindowColumns &columns = columns_of(is_of_ids ? WindowKind::ids : WindowKind::time);
    const std::string whole = std::string(columns.range) + "(NULL, NULL)";
    const std::string own = std::string("coalesce(") + (is_of_ids ? "$5" : "$4") + ", " + whole + ")";
    const std::string no_job = has_no_job(schema_, "r.job_id");
    // By runs of the same rows: another query or transform may have others, and so may another role, which may be another user
    // of the source. When a whole result was read, its windows may not have been settled.
    const std::string same_rows = "query_hash = $3 AND coalesce(transform_hash, '') = '" + key.transform_hash +
                                  "' AND (source_place = $8 OR " + role_of_run + " = " + std::to_string(GetUserId()) +
                                  ")";
    const std::string has_window = key.window ? std::string(columns.of_run) + " IS NOT NULL AND " : "";
    const auto covers = [&](const char *condition) {
        return "coalesce(" + own +
               " <@ range_agg(remembered) FILTER (WHERE is_of_kind AND status = 'succeeded' AND rejects = 0 AND mode "
               "<> "
               "'retry' AND " +
               has_window + "(" + same_rows + " OR job_id = $6) AND " + condition + "), false)";
    };
    // What a run has loaded may be gone after a later one that has not loaded all.
    constexpr const char *spoilers =
        "SELECT ended_at, window_of_run FROM found WHERE status = 'partial' OR rejects > 0 OR mode = 'replace' AND "
        "query_hash <> $3";
    const OwnerResult row = run_as_owner(
        table_.owner(),
        std::string("WITH found AS (SELECT run_id, job_id, owner, data_interval, id_range, forgotten, forgotten_ids, "
                    "source_place, query_hash, transform_hash, mode, status, settled, started_at, ended_at, "
                    "rows_written, rejects, "
                    "row_number() OVER (ORDER BY run_id DESC) AS n, coalesce(") +
            columns.of_run + ", " + whole + ") AS window_of_run, " +
            columns_of(is_of_ids ? WindowKind::time : WindowKind::ids).of_run + " IS NULL AS is_of_kind, " + no_job +
            " AS has_no_job FROM " + table_.name() + " AS r WHERE " + has_rows_of_window() + " AND (" +
            of_same_query() + " OR " + into_same_rows() + " AND source_tables && $9 AND ($6 IS NULL OR " + no_job +
            "))), spoilers AS MATERIALIZED (" + spoilers + "), loaded AS (SELECT *, " + columns.multirange +
            "(window_of_run) - " + columns.of_forgotten +
            " - coalesce((SELECT range_agg(s.window_of_run) FROM spoilers AS s WHERE coalesce(s.ended_at, 'infinity') "
            "> found.ended_at), '{}') "
            "AS "
            "remembered FROM found) SELECT count(*), " +
            covers("true") + ", " +
            // Of a run that did not look, it is known that its window had ended.
            covers("coalesce(settled, upper(data_interval) <= started_at, true)") +
            ", coalesce(bool_or(CASE WHEN $6 IS NULL THEN has_no_job AND query_hash = $3 ELSE job_id = $6 END), "
            "false), "
            "coalesce(bool_or(query_hash = $3), false), "
            "string_agg(CASE WHEN n <= 3 THEN format('run %s of %s wrote %s rows', run_id, ended_at, rows_written) || "
            "CASE WHEN rejects > 0 THEN format(' and rejected %s', rejects) ELSE '' END || "
            "CASE WHEN window_of_run <> " +
            own +
            " OR NOT is_of_kind THEN format(' of %s', coalesce(data_interval::text, id_range::text, 'the whole "
            "result')) ELSE '' END END, '; ' ORDER BY n) "
            "|| CASE WHEN count(*) > 3 THEN format('; and %s more', count(*) - 3) ELSE '' END, "
            "string_agg(DISTINCT (" +
            role_of_run + ")::text, ' '), coalesce(max(run_id) FILTER (WHERE rejects > 0), 0) FROM loaded",
        parameters_with(key, find_line(key.target)), true);
    return {.count = row.number,
            .is_loaded = row.text(0) == "t",
            .is_covered = row.text(1) == "t",
            .are_of_same_call = row.text(2) == "t",
            .are_of_same_query = row.text(3) == "t",
            .description = row.text(4),
            .owners = oids_of(row.text(5)),
            .rejecting = std::stoll(row.text(6))};
}

// Jobs of the same tables read different rows, as long as both exist.
std::int64_t RunHistory::find_later_run(const RunKey &key, std::int64_t run_id) const {
    std::vector<Parameter> parameters = parameters_with(key, find_line(key.target));
    parameters.push_back(int8_parameter(run_id));
    const std::string by_another_query =
        "mode IN ('replace', 'repair') AND " + into_same_rows() +
        " AND (source_tables && $9 OR source_tables = '{}' OR cardinality($9) = 0) AND (" + has_no_job(schema_, "$6") +
        " OR " + has_no_job(schema_, "r.job_id") + ")";
    return run_as_owner(table_.owner(),
                        "SELECT coalesce(max(run_id), 0) FROM " + table_.name() + " AS r WHERE " +
                            has_rows_of_window() + " AND (" + of_same_query() + " OR " + by_another_query +
                            ") AND mode <> 'retry' AND ended_at > (SELECT e.ended_at FROM " + table_.name() +
                            " AS e WHERE e.run_id = $11)",
                        parameters, true)
        .number;
}

std::vector<std::string> RunHistory::find_column_zones(const RunKey &key) const {
    // No two zones differ by more than two days.
    const OwnerResult row = run_as_owner(
        table_.owner(),
        std::string(
            "SELECT count(*), string_agg(DISTINCT coalesce(column_time_zone, CASE WHEN query_hash = $3 THEN '") +
            no_zone + "' END), ' ') FROM " + table_.name() + " WHERE " + has_rows + " AND " + of_same_query() +
            " AND data_interval && tstzrange(lower($4) - interval '2 days', upper($4) + interval '2 days')",
        parameters_with(key, find_line(key.target)), true);
    std::istringstream zones(row.text(0));
    return {std::istream_iterator<std::string>(zones), {}};
}

bool RunHistory::has_doubted_today(const RunKey &key) const {
    return run_as_owner(table_.owner(),
                        std::string("SELECT 1::bigint FROM ") + table_.name() + " WHERE " + into_target +
                            " AND settled IS FALSE AND (id_range IS NOT NULL OR upper(data_interval) < started_at) AND "
                            "started_at > "
                            "clock_timestamp() - interval '1 day' LIMIT 1",
                        key_parameters(key))
        .found();
}

bool RunHistory::may_see_runs_of(Oid role) const { return table_.may_manage_for(role); }

bool RunHistory::has_written_since(const RunKey &key, TimestampTz moment) const {
    return last_written(key, find_tree(key.target), true, key.snapshot) >= moment;
}

std::int64_t RunHistory::count_written(const RunKey &key, bool latest_snapshot) const {
    return run_as_owner(table_.owner(),
                        "SELECT count(*) FROM " + table_.name() + " WHERE " + into_tables + " AND " +
                            has_rows_of_window(),
                        parameters_with(key, find_line(key.target)), latest_snapshot)
        .number;
}

bool RunHistory::has_written_since_begin(const RunKey &key) const {
    std::vector<Parameter> parameters = parameters_with(key, find_line(key.target));
    parameters.push_back({TIMESTAMPTZOID, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp())});
    const std::vector<NamedValues> writers =
        select_as_owner(table_.owner(),
                        "SELECT DISTINCT xmin::text::bigint AS writer FROM " + table_.name() + " WHERE " + into_tables +
                            " AND " + has_rows_of_window() + " AND ended_at >= $11",
                        parameters, true);
    return std::any_of(writers.begin(), writers.end(), [](const NamedValues &row) {
        const auto writer = static_cast<TransactionId>(DatumGetInt64(row.value("writer")));
        return !pg_call([=] { return TransactionIdIsCurrentTransactionId(writer); });
    });
}

bool RunHistory::has_written_unseen(const RunKey &key) const {
    return count_written(key, true) != count_written(key, false);
}

TimestampTz RunHistory::last_written(const RunKey &key, const std::vector<std::string> &tables, bool latest_snapshot,
                                     const std::string &snapshot) const {
    std::vector<Parameter> parameters = parameters_with(key, tables);
    parameters.push_back(text_parameter(snapshot));
    return run_as_owner(table_.owner(),
                        std::string("SELECT coalesce(max(ended_at), '-infinity') FROM ") + table_.name() + " WHERE " +
                            into_tables + " AND " + overlaps +
                            " AND status NOT IN ('failed', 'crashed', 'skipped') AND NOT coalesce(source_snapshot = "
                            "$11 AND " +
                            from_source + ", false)",
                        parameters, latest_snapshot)
        .number;
}

RunState RunHistory::find_run(std::int64_t run_id) const {
    const OwnerResult row = run_as_owner(table_.owner(),
                                         std::string("SELECT ") + role_of_run +
                                             ", status, coalesce(sqlstate, '00000'), message, detail, hint FROM " +
                                             table_.name() + " WHERE run_id = $1",
                                         {int8_parameter(run_id)}, true);
    if (!row.found())
        raise(sqlstate::undefined_object, "run " + std::to_string(run_id) + " does not exist",
              "The run_id is what copy_incremental_start() returned.");
    if (!may_see_runs_of(static_cast<Oid>(row.number)))
        raise(sqlstate::insufficient_privilege, "permission denied for run " + std::to_string(run_id),
              "Use SET ROLE to become the role that started it.", "The run belongs to another role.");
    RunState state{.status = row.text(0)};
    state.failure = {.code = SqlState::from_text(row.text(1)).packed(),
                     .message = row.text(2),
                     .detail = row.text(3),
                     .hint = row.text(4)};
    return state;
}

int RunHistory::find_process(std::int64_t run_id) const {
    return static_cast<int>(
        run_as_owner(table_.owner(),
                     "SELECT l.pid::bigint FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.objsubid = $2 AND "
                     "l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND "
                     "l.classid::bigint << 32 | l.objid::bigint = $1",
                     {int8_parameter(run_id), lock_class_parameter(LockClass::run_life)})
            .number);
}

std::vector<std::size_t> RunHistory::find_failed(std::int64_t job_id, WindowKind kind,
                                                 const std::vector<Span> &windows) const {
    const std::string column = columns_of(kind).of_run;
    // Windows of ids are not always cut at the same ids.
    const std::string is_same = column + (kind == WindowKind::ids ? " && " : " = ") + "w.span";
    return places(
        run_as_owner(table_.owner(),
                     "SELECT DISTINCT n FROM unnest($2) WITH ORDINALITY AS w(span, n) JOIN (SELECT DISTINCT ON (" +
                         column + ") " + column + ", status FROM " + table_.name() +
                         " WHERE job_id = $1 AND status NOT IN ('running', 'skipped') ORDER BY " + column +
                         ", ended_at DESC NULLS LAST, run_id DESC) AS r ON " + is_same +
                         " WHERE status IN ('failed', 'crashed', 'partial') ORDER BY n",
                     {int8_parameter(job_id), windows_parameter(kind, windows)}));
}

} // namespace pgci
