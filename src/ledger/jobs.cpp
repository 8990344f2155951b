#include "ledger/jobs.hpp"

#include <algorithm>
#include <functional>

#include "server/compat.hpp"
#include "server/guard.hpp"
#include "server/named_relation.hpp"
#include "server/shown_text.hpp"
#include "server/sql_text.hpp"
#include "request/option_arguments.hpp"
#include "ledger/coverage.hpp"
#include "ledger/run_lock.hpp"
#include "ledger/stored_options.hpp"

namespace pgci {

namespace {

Parameter oid_parameter(Oid oid) { return {OIDOID, ObjectIdGetDatum(oid)}; }
Parameter interval_parameter(const Interval &value) { return {INTERVALOID, IntervalPGetDatum(&value)}; }

} // namespace

Jobs::Jobs(Oid schema) : schema_(schema), table_(schema, "pgci_jobs") {}

std::vector<Job> Jobs::find_all(const std::string &condition, const std::vector<Parameter> &parameters) const {
    const std::vector<NamedValues> rows = select_as_owner(
        table_.owner(),
        "SELECT j.job_id, j.job, coalesce((SELECT r.oid FROM pg_roles AS r WHERE r.oid = j.owner), 0) AS owner, "
        "j.server::oid AS server, j.source, j.conninfo, j.query_template, j.target::oid AS target_oid, j.target_name, "
        "j.version, j.first_day, j.window_size, j.window_size_rows, j.first_id, j.lag, j.time_zone, nullif(j.columns, "
        "'{}') AS columns, nullif(j.column_types, '{}') AS column_types, o.* FROM " +
            table_.name() + " AS j, " + stored_options("j.options") + " AS o WHERE " + condition,
        parameters);
    std::vector<Job> jobs;
    jobs.reserve(rows.size());
    for (const NamedValues &row : rows) {
        Job &job = jobs.emplace_back(read_job(row));
        job.request.schema = schema_;
        job.request.job_id = job.id;
        job.request.job = job.name;
        job.request.job_version = job.version;
    }
    return jobs;
}

std::optional<Job> Jobs::find_where(const std::string &condition, const Parameter &parameter, JobUse use) const {
    std::vector<Job> jobs = find_all(condition, {parameter});
    if (jobs.empty()) return std::nullopt;
    Job &job = jobs.front();
    if (use == JobUse::manage ? table_.may_manage_for(job.owner) : may_run_for(job.owner)) return std::move(job);
    std::string hint = "A job can be used by the role that owns it and by its members.";
    if (!OidIsValid(job.owner))
        hint = "The role that owned it was dropped. The owner of the extension or a superuser can define it again with "
               "or_replace => true, and becomes its owner.";
    else if (pg_call([] { return superuser(); }))
        hint = std::string("Use SET ROLE ") +
               pg_call([owner = job.owner] { return ::quote_identifier(GetUserNameFromId(owner, false)); }) +
               ": what the owner of the job has written would otherwise run with your privileges.";
    raise(sqlstate::insufficient_privilege, "permission denied for job \"" + shorten(job.name) + "\"", hint);
}

std::vector<Job> Jobs::find_own() const {
    std::vector<Job> jobs = find_all("true ORDER BY j.job", {});
    std::erase_if(jobs, [](const Job &job) { return job.owner != GetUserId(); });
    return jobs;
}

std::vector<Job> Jobs::find_in_group(const std::string &group) const {
    return find_all("j.options->>'job_group' = $1 ORDER BY j.job", {text_parameter(group)});
}

std::vector<Job> Jobs::find_others_of_group(const Job &job) const {
    if (!job.request.job_group) return {};
    std::vector<Job> jobs = find_in_group(*job.request.job_group);
    std::erase_if(jobs, [&](const Job &other) { return other.owner != job.owner || other.name == job.name; });
    return jobs;
}

std::vector<Job> Jobs::find_group(const std::string &group) const {
    std::vector<Job> jobs = find_in_group(group);
    std::erase_if(jobs, [](const Job &job) { return !may_run_for(job.owner); });
    const auto is_own = [](const Job &job) { return job.owner == GetUserId(); };
    if (std::any_of(jobs.begin(), jobs.end(), is_own)) std::erase_if(jobs, std::not_fn(is_own));
    if (jobs.empty())
        raise(sqlstate::undefined_object, "job group \"" + shorten(group) + "\" does not exist",
              "No job of yours has this job_group. The view copy_incremental_jobs shows the groups.");
    if (std::any_of(jobs.begin(), jobs.end(), [&](const Job &job) { return job.owner != jobs.front().owner; }))
        raise(sqlstate::invalid_parameter, "several roles have a job group \"" + shorten(group) + "\"",
              "Use SET ROLE to become the role whose group is meant.");
    return jobs;
}

std::vector<Job> Jobs::find_into(const std::vector<std::string> &tables, bool all) const {
    const std::string runs = OwnTable(schema_, "pgci_runs").name();
    std::vector<Job> jobs = find_all("j.target::oid = ANY ($1::oid[]) OR j.job_id IN (SELECT job_id FROM " + runs +
                                         " WHERE target::oid = ANY ($1::oid[])) ORDER BY j.job_id",
                                     {texts_parameter(tables)});
    if (!all) std::erase_if(jobs, [this](const Job &job) { return !table_.may_manage_for(job.owner); });
    return jobs;
}

std::optional<Job> Jobs::find_if_exists(const std::string &name, JobUse use) const {
    return find_where("job = $1", text_parameter(name), use);
}

std::optional<Job> Jobs::find_if_exists(std::int64_t id) const {
    return find_where("job_id = $1", int8_parameter(id), JobUse::run);
}

Job Jobs::find(const std::string &name, JobUse use) const {
    std::optional<Job> job = find_if_exists(name, use);
    if (!job) raise_unknown(name);
    return *std::move(job);
}

Job Jobs::find(std::int64_t id) const {
    std::optional<Job> job = find_if_exists(id);
    if (!job)
        raise(sqlstate::undefined_object, "job number " + std::to_string(id) + " does not exist",
              "It was dropped, or the transaction that defines it has not committed.");
    return *std::move(job);
}

// Raises 42704 with the names that differ in the fewest letters.
void Jobs::raise_unknown(const std::string &name) const {
    constexpr int most_different = 3;
    const std::vector<NamedValues> rows = select_as_owner(
        table_.owner(),
        "SELECT job FROM " + table_.name() + " WHERE pg_has_role($1, owner, 'USAGE') ORDER BY job LIMIT 10000",
        {oid_parameter(GetUserId())});
    // No name of a job is longer.
    const std::string wanted =
        name.substr(0, static_cast<std::size_t>(pg_call(
                           [&] { return pg_mbcliplen(name.c_str(), static_cast<int>(name.size()), NAMEDATALEN); })));
    int best = most_different + 1;
    std::string nearest;
    for (const NamedValues &row : rows) {
        const std::string other = row.required_text("job");
        const int distance = pg_call([&] {
            return varstr_levenshtein_less_equal(wanted.c_str(), static_cast<int>(wanted.size()), other.c_str(),
                                                 static_cast<int>(other.size()), 1, 1, 1, best, true);
        });
        if (distance >= best || distance >= static_cast<int>(other.size())) continue;
        best = distance;
        nearest = other;
    }
    raise(sqlstate::undefined_object, "job \"" + shorten(name) + "\" does not exist",
          nearest.empty() ? "The view copy_incremental_jobs lists the jobs; copy_incremental_create_job() defines one."
                          : "Perhaps you meant the job \"" + nearest + "\".");
}

void Jobs::store(const Job &job, const NamedValues &options) const {
    const std::string time_zone = job.request.time_zone.value_or("");
    const bool has_server = OidIsValid(job.server);
    std::vector<Parameter> parameters{text_parameter(job.name),
                                      oid_parameter(job.owner),
                                      oid_parameter(job.server),
                                      text_parameter(job.request.src_conninfo),
                                      text_parameter(job.request.query_template),
                                      oid_parameter(job.target),
                                      text_parameter(job.target_name),
                                      {DATEOID, DateADTGetDatum(job.first_day)},
                                      job.window_size ? interval_parameter(*job.window_size)
                                                      : Parameter{.type = INTERVALOID, .is_null = true},
                                      interval_parameter(job.lag),
                                      text_parameter(time_zone),
                                      text_parameter(job.source),
                                      int8_parameter(job.id),
                                      {INT4OID, Int32GetDatum(job.version)},
                                      texts_parameter(names_of(job.request.known_columns)),
                                      bound_parameter(WindowKind::ids, job.window_size_rows),
                                      bound_parameter(WindowKind::ids, job.first_id),
                                      texts_parameter(types_of(job.request.known_columns))};
    parameters[3].is_null = has_server;
    const std::string stored = options_to_store(options, parameters);
    const std::string columns =
        "(job, owner, server, conninfo, query_template, target, target_name, first_day, window_size, "
        "lag, time_zone, source, version, columns, window_size_rows, first_id, column_types, "
        "options)";
    const std::string values =
        "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $14, $15, $16, $17, $18, " + stored + ")";
    const std::string sql =
        job.id != 0
            ? "UPDATE " + table_.name() + " SET " + columns + " = " + values + " WHERE job_id = $13"
            : "INSERT INTO " + table_.name() + " " + columns + " VALUES " + values + " ON CONFLICT (job) DO NOTHING";
    if (run_as_owner(table_.owner(), sql, parameters).processed == 1) return;
    raise(sqlstate::duplicate_object, "job \"" + shorten(job.name) + "\" already exists",
          "Use or_replace => true to change it, or another name.");
}

void Jobs::lock_unchanged(const CopyRequest &request) const {
    lock_job(request.job_id, JobLock::shared);
    const std::vector<NamedValues> rows =
        select_as_owner(table_.owner(), "SELECT version FROM " + table_.name() + " WHERE job_id = $1",
                        {int8_parameter(request.job_id)}, true);
    if (rows.empty())
        raise(sqlstate::undefined_object, "job \"" + request.job + "\" was dropped while a run of it began",
              "Define the job again.", "Nothing was loaded.");
    if (DatumGetInt32(rows.front().value("version")) == request.job_version) return;
    raise(sqlstate::not_in_prerequisite_state, "job \"" + request.job + "\" was changed while a run of it began",
          "Call again.", "Nothing was loaded.");
}

void Jobs::remember_columns(std::int64_t job_id, const std::vector<KnownColumn> &columns) const {
    run_as_owner(table_.owner(),
                 "UPDATE " + table_.name() +
                     " SET columns = $2, column_types = $3 WHERE job_id = $1 AND (columns, column_types) <> ($2, $3)",
                 {int8_parameter(job_id), texts_parameter(names_of(columns)), texts_parameter(types_of(columns))});
}

void Jobs::bind_target(std::int64_t job_id, Oid target) const {
    const char *const name = pg_call([=] { return qualified_name(target); });
    const std::int64_t bound =
        run_as_owner(table_.owner(),
                     "UPDATE " + table_.name() +
                         " SET target = $2, target_name = $3 WHERE job_id = $1 AND target::oid IN (0, $2)",
                     {int8_parameter(job_id), oid_parameter(target), text_parameter(name)})
            .processed;
    if (bound == 1) return;
    raise(sqlstate::not_in_prerequisite_state, "another run has loaded into another target of this job",
          "Name the target with its schema, and define the job again with or_replace => true.");
}

void Jobs::drop(const Job &job) const {
    run_as_owner(table_.owner(), "DELETE FROM " + table_.name() + " WHERE job_id = $1", {int8_parameter(job.id)});
}

std::string Jobs::source_of(const Job &job) const {
    if (!job.request.src_conninfo.empty()) return job.request.src_conninfo;
    const Oid server_oid = job.server;
    const char *const server = pg_call([=]() -> const char * {
        const ForeignServer *const found = GetForeignServerExtended(server_oid, FSV_MISSING_OK);
        return found == nullptr ? nullptr : found->servername;
    });
    if (server == nullptr)
        raise(sqlstate::undefined_object, "the foreign server of job \"" + shorten(job.name) + "\" does not exist",
              "Create the server and define the job again with or_replace => true.");
    return server;
}

// Finds a table by its name, but no temporary one: only one session can use it, and a job is for all sessions.
static Oid find_by_name(const std::string &target_name) {
    const char *const name = target_name.c_str();
    return pg_call([=] {
        const Oid found = find_relation(name);
        return OidIsValid(found) && get_rel_persistence(found) == RELPERSISTENCE_TEMP ? InvalidOid : found;
    });
}

CopyRequest Jobs::request_of(const Job &job) const {
    CopyRequest request = job.request;
    request.src_conninfo = source_of(job);
    if (job.has_windows()) request.grid = job.grid();
    const Oid target = job.target;
    request.target = target;
    bool was_dropped =
        OidIsValid(target) && !pg_call([=] { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(target)); });
    if (!OidIsValid(target)) {
        request.binds_target = true;
        request.target = find_by_name(job.target_name);
        // A restore without the table leaves no OID, but the coverage shows that the job had a target.
        was_dropped = !Coverage(schema_, job.kind()).find(job.id).empty();
    }
    if (was_dropped)
        raise(sqlstate::undefined_table,
              "table " + shorten(job.target_name) + ", the target of job \"" + shorten(job.name) + "\", does not exist",
              "Drop the job and define it again.",
              "It was dropped, and the job's record of loaded windows is that of the dropped table.");
    if (!OidIsValid(request.target)) request.target_name = job.target_name;
    return request;
}

} // namespace pgci
