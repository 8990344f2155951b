#include "ledger/run_history.hpp"

#include <iterator>
#include <sstream>

#include "server/compat.hpp"
#include "server/extension.hpp"
#include "server/guard.hpp"
#include "server/sql_text.hpp"

namespace pgci {

namespace {

std::optional<TimestampTz> start_of(const RunKey &key) {
    return key.window ? std::optional(key.window->start()) : std::nullopt;
}
std::optional<TimestampTz> end_of(const RunKey &key) {
    return key.window ? std::optional(key.window->end()) : std::nullopt;
}

// The windows of the parameters $n and $n+1 as a relation: its place n from 1 on, and the interval.
std::string windows_relation(int n) {
    return "(SELECT n, tstzrange(s, e) AS data_interval FROM unnest($" + std::to_string(n) + ", $" +
           std::to_string(n + 1) + ") WITH ORDINALITY AS w(s, e, n)) AS w";
}

std::vector<std::size_t> places(const OwnerResult &row) {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < row.count; ++i) found.push_back(static_cast<std::size_t>(row.numbers[i]) - 1);
    return found;
}

// The OID of the role that ran a run.
constexpr const char *role_of_run = "owner::oid::bigint";

std::string of_definition(const RunKey &key) {
    return key.job_id != 0 ? " WHERE job_id = $6"
                           : " WHERE job_id IS NULL AND target = $1::oid AND source = $2 AND query_hash = $3";
}

// The runs of a key. Those of a job are all whose window overlaps that of the key.
std::string of_key(const RunKey &key) {
    if (key.job_id == 0) return of_same_window(key);
    return of_definition(key) + " AND data_interval && " + interval_parameter(4);
}

} // namespace

std::string interval_parameter(int n) {
    const std::string start = "$" + std::to_string(n);
    const std::string end = "$" + std::to_string(n + 1);
    return "CASE WHEN " + start + " IS NOT NULL THEN tstzrange(" + start + ", " + end + ") END";
}

std::string of_same_window(const RunKey &key) {
    return of_definition(key) + " AND data_interval IS NOT DISTINCT FROM " + interval_parameter(4);
}

std::vector<Parameter> key_parameters(const RunKey &key) {
    return {int8_parameter(key.target),       text_parameter(key.source),
            text_parameter(key.query_hash),   timestamp_parameter(start_of(key)),
            timestamp_parameter(end_of(key)), Parameter{INT8OID, Int64GetDatum(key.job_id), key.job_id == 0}};
}

Parameter lock_class_parameter(LockClass lock_class) { return int8_parameter(static_cast<std::int64_t>(lock_class)); }

RunHistory::RunHistory(Oid schema) : schema_(schema), table_(schema, "pgci_runs") {}

std::optional<EarlierRun> RunHistory::find_earlier(const RunKey &key) const {
    const OwnerResult row = run_as_owner(
        table_.owner(),
        std::string("SELECT ") + role_of_run +
            ", status, format('run %s of %s wrote %s rows', run_id, ended_at, rows_written) FROM " + table_.name() +
            of_key(key) + " AND status IN ('succeeded', 'partial') ORDER BY run_id DESC LIMIT 1",
        key_parameters(key), true);
    if (!row.found()) return std::nullopt;
    return EarlierRun{row.text(0) == "partial", static_cast<Oid>(row.number), row.text(1)};
}

std::vector<std::string> RunHistory::find_column_zones(const RunKey &key) const {
    // No two zones differ by more than two days.
    const OwnerResult row = run_as_owner(
        table_.owner(),
        "SELECT count(*), string_agg(DISTINCT column_time_zone, ' ') FROM " + table_.name() +
            " WHERE target = $1::oid AND source = $2 AND query_hash = $3 AND status IN ('succeeded', 'partial') AND "
            "data_interval && tstzrange($4 - interval '2 days', $5 + interval '2 days')",
        key_parameters(key), true);
    std::istringstream zones(row.text(0));
    return {std::istream_iterator<std::string>(zones), {}};
}

bool RunHistory::may_see_runs_of(Oid role) const { return table_.may_act_for(role); }

bool RunHistory::has_written_since(const RunKey &key, TimestampTz moment) const {
    return last_written(key, true) >= moment;
}

bool RunHistory::has_written_unseen(const RunKey &key) const {
    return last_written(key, true) != last_written(key, false);
}

TimestampTz RunHistory::last_written(const RunKey &key, bool latest_snapshot) const {
    return run_as_owner(table_.owner(),
                        "SELECT coalesce(max(ended_at), '-infinity') FROM " + table_.name() + of_key(key) +
                            " AND status NOT IN ('failed', 'crashed', 'skipped')",
                        key_parameters(key), latest_snapshot)
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
              "It is another user's.");
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

std::vector<std::size_t> RunHistory::find_failed(std::int64_t job_id, const std::vector<Window> &windows) const {
    return places(run_as_owner(
        table_.owner(),
        "SELECT n FROM " + windows_relation(2) +
            " JOIN (SELECT DISTINCT ON (data_interval) data_interval, status FROM " + table_.name() +
            " WHERE job_id = $1 AND status NOT IN ('running', 'skipped') ORDER BY data_interval, run_id DESC) AS r "
            "USING (data_interval) WHERE status IN ('failed', 'crashed', 'partial') ORDER BY n",
        {int8_parameter(job_id), timestamps_parameter(windows, &Window::start),
         timestamps_parameter(windows, &Window::end)}));
}

} // namespace pgci
