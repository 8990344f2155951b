#include "ledger/ledger.hpp"

#include "server/compat.hpp"
#include "server/extension.hpp"
#include "server/guard.hpp"
#include "ledger/run_notification.hpp"

namespace pgci {

// Executes a statement that must write exactly this number of entries of a run; raises 55000 otherwise.
void Ledger::write_entries(std::int64_t run_id, const char *table_name, const std::string &statement,
                           const std::vector<Parameter> &parameters, std::int64_t count) const {
    const std::int64_t written = run_as_owner(table().owner(), statement, parameters).processed;
    if (written == count) return;
    raise(sqlstate::not_in_prerequisite_state,
          std::string(table_name) + " has " + std::to_string(written) + " entries of run " + std::to_string(run_id) +
              " instead of " + (count == 1 ? "one" : std::to_string(count)),
          "Look for triggers and rules on the table, and for a trigger of the target that changes it.",
          "The rows of a run are only committed together with its entries.");
}

static constexpr const char *runs = "pgci_runs";

// The OID of the calling user.
static Parameter user_parameter() { return int8_parameter(GetUserId()); }

std::int64_t Ledger::begin(const RunKey &key, std::string_view mode, std::string_view method,
                           std::int64_t run_id) const {
    if (run_id == 0) run_id = draw_run_id();
    add_entry(run_id, key, mode, method, ", column_time_zone, source_snapshot, transform_hash",
              ", nullif($14, ''), nullif($15, ''), nullif($16, '')",
              {text_parameter(key.column_time_zone), text_parameter(key.snapshot), text_parameter(key.transform_hash)});
    return run_id;
}

// Inserts an entry. `columns` and `values` are added to those that every entry has; their parameters start at $14.
void Ledger::add_entry(std::int64_t run_id, const RunKey &key, std::string_view mode, std::string_view method,
                       const std::string &columns, const std::string &values,
                       const std::vector<Parameter> &more) const {
    std::vector<Parameter> parameters = key_parameters(key);
    for (const Parameter &parameter :
         {user_parameter(), text_parameter(mode), text_parameter(method), int8_parameter(run_id)})
        parameters.push_back(parameter);
    parameters.insert(parameters.end(), more.begin(), more.end());
    write_entries(
        run_id, runs,
        "INSERT INTO " + table().name() +
            " (target, source, query_hash, data_interval, id_range, job_id, server, source_place, source_tables, "
            "owner, "
            "mode, method, run_id, attempt" +
            columns +
            ") OVERRIDING SYSTEM VALUE VALUES ($1::oid, $2, $3, $4, $5, $6, $7::oid, $8, $9, $10::oid, $11, $12, $13, "
            "(SELECT count(*) + 1 FROM " +
            table().name() + " WHERE " + of_same_window(key) + ")" + values + ")",
        parameters, 1);
}

std::int64_t Ledger::draw_run_id() const {
    return run_as_owner(table().owner(), "SELECT nextval(pg_get_serial_sequence($1, 'run_id'))",
                        {text_parameter(table().name())})
        .number;
}

void Ledger::record(std::int64_t run_id, const RunStatistics &statistics, const char *status) const {
    const bool is_known = statistics.is_settled.has_value();
    write_entries(
        run_id, runs,
        "UPDATE " + table().name() +
            " SET rows_read = $2, rows_written = $3, rows_deleted = $4, bytes = $5, batches = $6, status = $7, "
            "settled = $8, source_rows = $9, rejects = $10, ddl = nullif($11, ''), ended_at = clock_timestamp() WHERE "
            "run_id = $1",
        {int8_parameter(run_id),
         int8_parameter(statistics.rows_read),
         int8_parameter(statistics.rows_written),
         int8_parameter(statistics.rows_deleted),
         int8_parameter(statistics.bytes),
         int8_parameter(statistics.batches),
         text_parameter(status),
         {BOOLOID, BoolGetDatum(statistics.is_settled.value_or(false)), !is_known},
         {INT8OID, Int64GetDatum(statistics.source_rows.value_or(0)), !statistics.source_rows},
         int8_parameter(statistics.rejects),
         text_parameter(statistics.ddl)},
        1);
    if (std::string_view(status) != "partial") notify_end(run_id);
}

// The payload is a JSON object with its members in this order. It has two names and numbers, so it is shorter than 8000 bytes.
void Ledger::notify_end(std::int64_t run_id) const {
    const OwnerResult row = run_as_owner(
        table().owner(),
        "SELECT r.run_id, json_build_object('job', j.job, 'run_id', r.run_id, 'status', r.status, 'target', "
        "r.target::oid::regclass::text, 'window', CASE WHEN r.data_interval IS NOT NULL THEN "
        "json_build_array(lower(r.data_interval), upper(r.data_interval)) WHEN r.id_range IS NOT NULL THEN "
        "json_build_array(lower(r.id_range), upper(r.id_range)) END, 'rows', r.rows_written)::text FROM " +
            table().name() + " AS r LEFT JOIN " + OwnTable(schema(), "pgci_jobs").name() +
            " AS j USING (job_id) WHERE r.run_id = $1",
        {int8_parameter(run_id)});
    if (row.found()) notify_at_commit(row.text(0));
}

void Ledger::record_failure(const RunKey &key, std::string_view mode, std::string_view method, TimestampTz started_at,
                            const RunFailure &failure) const {
    const std::int64_t run_id = draw_run_id();
    add_entry(run_id, key, mode, method, ", started_at, ended_at, status, sqlstate, message, detail, hint",
              ", $14, clock_timestamp(), 'failed', $15, $16, nullif($17, ''), nullif($18, '')",
              {timestamp_parameter(started_at), text_parameter(failure.sqlstate()), text_parameter(failure.message),
               text_parameter(failure.detail), text_parameter(failure.hint)});
    notify_end(run_id);
}

void Ledger::fail(std::int64_t run_id, const RunFailure &failure) const {
    write_entries(run_id, runs,
                  "UPDATE " + table().name() +
                      " SET status = 'failed', ended_at = clock_timestamp(), sqlstate = $2, message = $3, detail = "
                      "nullif($4, ''), hint = nullif($5, '') WHERE run_id = $1",
                  {int8_parameter(run_id), text_parameter(failure.sqlstate()), text_parameter(failure.message),
                   text_parameter(failure.detail), text_parameter(failure.hint)},
                  1);
    notify_end(run_id);
}

void Ledger::end_skipped(std::int64_t run_id) const {
    write_entries(run_id, runs,
                  "UPDATE " + table().name() +
                      " SET status = 'skipped', ended_at = clock_timestamp() WHERE run_id = $1",
                  {int8_parameter(run_id)}, 1);
    notify_end(run_id);
}

void Ledger::mark_crashed() const {
    const OwnerResult marked = run_as_owner(
        table().owner(),
        "UPDATE " + table().name() +
            " SET status = 'crashed', ended_at = clock_timestamp(), message = 'the server or the background worker "
            "ended before the run did' WHERE run_id IN (SELECT r.run_id FROM " +
            table().name() +
            " AS r WHERE r.status = 'running' AND NOT EXISTS (SELECT FROM pg_locks AS l "
            "WHERE l.locktype = 'advisory' AND l.objsubid = $1 AND l.database = (SELECT oid FROM pg_database WHERE "
            "datname = current_database()) AND l.classid::bigint << 32 | l.objid::bigint = r.run_id) "
            "FOR UPDATE SKIP LOCKED) RETURNING run_id",
        {lock_class_parameter(LockClass::run_life)});
    for (std::size_t i = 0; i < marked.count; ++i) notify_end(marked.numbers[i]);
}

void Ledger::record_rejects(std::int64_t run_id, std::int64_t batch, const std::vector<Reject> &rejects) const {
    const auto texts = [&](auto text_of) {
        std::vector<std::string> column;
        column.reserve(rejects.size());
        for (const Reject &reject : rejects) column.push_back(text_of(reject));
        return texts_parameter(column);
    };
    write_entries(run_id, "pgci_rejects",
                  "INSERT INTO " + OwnTable(schema(), "pgci_rejects").name() +
                      " (run_id, batch, source_row, sqlstate, message, detail, constraint_name, "
                      "column_name, reject, is_whole) SELECT $1, $2, source_row::jsonb, sqlstate, message, "
                      "nullif(detail, ''), nullif(constraint_name, ''), nullif(column_name, ''), reject::bigint, "
                      "is_whole::boolean FROM unnest($3, $4, $5, $6, $7, $8, $9, $10) AS r(source_row, sqlstate, "
                      "message, detail, constraint_name, column_name, reject, is_whole)",
                  {int8_parameter(run_id), int8_parameter(batch),
                   texts([](const Reject &reject) { return reject.row; }),
                   texts([](const Reject &reject) { return reject.failure.sqlstate(); }),
                   texts([](const Reject &reject) { return reject.failure.message; }),
                   texts([](const Reject &reject) { return reject.failure.detail; }),
                   texts([](const Reject &reject) { return reject.failure.constraint; }),
                   texts([](const Reject &reject) { return reject.failure.column; }),
                   texts([](const Reject &reject) { return std::to_string(reject.number); }),
                   texts([](const Reject &reject) { return std::string(reject.is_whole ? "true" : "false"); })},
                  static_cast<std::int64_t>(rejects.size()));
}

std::int64_t Ledger::forget(const std::vector<std::string> &tables, std::int64_t job_id, Oid owner, WindowKind kind,
                            const Bounds &bounds, const std::string &query_hash) const {
    const WindowColumns &columns = columns_of(kind);
    const std::string jobs = OwnTable(schema(), "pgci_jobs").name();
    const std::string range = std::string(columns.range) + "($2, $3)";
    const std::string forgotten = std::string(columns.of_forgotten) + " + " + columns.multirange + "(" + range + ")";
    const std::string or_unbounded = "($2 IS NULL AND $3 IS NULL OR ";
    return run_as_owner(table().owner(),
                        "UPDATE " + table().name() + " AS r SET " + columns.of_forgotten + " = " + forgotten +
                            ", status = CASE WHEN " + or_unbounded + columns.of_run + " <@ (" + forgotten +
                            ")) THEN 'forgotten' ELSE status END WHERE target = ANY ($1::oid[]) AND status IN "
                            "('succeeded', 'partial') "
                            "AND " +
                            or_unbounded + columns.of_run + " && " + range + " AND NOT " + columns.of_run + " * " +
                            range + " <@ " + columns.of_forgotten +
                            ") AND "
                            "CASE WHEN $4 <> 0 THEN job_id = $4 ELSE NOT EXISTS (SELECT FROM " +
                            jobs +
                            " AS j WHERE j.job_id = r.job_id) AND ($5 = 0 OR owner::oid::bigint = $5) END AND $6 IN "
                            "('', query_hash)",
                        {texts_parameter(tables), bound_parameter(kind, bounds.start),
                         bound_parameter(kind, bounds.end), int8_parameter(job_id), int8_parameter(owner),
                         text_parameter(query_hash)})
        .processed;
}

} // namespace pgci
