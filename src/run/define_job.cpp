#include "run/define_job.hpp"

#include "server/guard.hpp"
#include "server/named_relation.hpp"
#include "server/shown_text.hpp"
#include "connection/conninfo.hpp"
#include "request/copy_arguments.hpp"
#include "request/option_arguments.hpp"
#include "ledger/coverage.hpp"
#include "ledger/id_marks.hpp"
#include "ledger/jobs.hpp"
#include "ledger/rejected_rows.hpp"
#include "ledger/run_key.hpp"
#include "source/settled_window.hpp"
#include "source/source_plan.hpp"
#include "run/bound_warnings.hpp"
#include "run/lost_columns.hpp"
#include "ledger/run_lock.hpp"
#include "run/prepared_run.hpp"
#include "run/run_scope.hpp"
#include "run/transform_warning.hpp"

namespace pgci {

namespace {

std::string read_name(const NamedValues &arguments) {
    std::string name = arguments.required_text("job");
    if (name.empty() || name.size() >= NAMEDATALEN)
        raise(sqlstate::invalid_parameter,
              name.empty() ? "the name of a job must not be empty" : "job name \"" + shorten(name) + "\" is too long",
              "A name has 1 to " + std::to_string(NAMEDATALEN - 1) + " bytes.");
    if (has_control_character(name))
        raise(sqlstate::invalid_parameter, "the name of a job must not contain control characters",
              "Line breaks, tabs and escape sequences are control characters.");
    return name;
}

// Returns the job that has the name, after its runs have ended. If no job has it, returns nothing, and other transactions that
// define a job of this name wait until this one ends.
std::optional<Job> lock_earlier(const Jobs &jobs, const std::string &name, bool or_replace) {
    bool name_is_locked = false;
    for (;;) {
        const std::optional<Job> found = jobs.find_if_exists(name, JobUse::manage);
        if (found && !or_replace)
            raise(sqlstate::duplicate_object, "job \"" + name + "\" already exists",
                  "Use or_replace => true to change it, or another name.");
        if (!found && name_is_locked) return std::nullopt;
        if (!found) {
            lock_job_name(name);
            name_is_locked = true;
            continue;
        }
        lock_job(found->id, JobLock::exclusive);
        // A transaction that held the lock may have dropped the job.
        std::optional<Job> locked = jobs.find_if_exists(name, JobUse::manage);
        if (locked && locked->id == found->id) return locked;
    }
}

// Returns the current day in the time zone of the job.
DateADT today(const TimeZone &zone) {
    return static_cast<DateADT>(local_time(GetCurrentTimestamp(), zone) / USECS_PER_DAY);
}

Interval read_interval(const NamedValues &arguments, const char *name) {
    arguments.require(name);
    return *DatumGetIntervalP(arguments.value(name));
}

// Sets the source of the job. Refuses a secret: everyone who reads the table could read it, and every dump would contain it.
void set_source(Job &job) {
    const ConnectionOptions options = resolve_source(job.request.src_conninfo);
    job.source = identify_source(options).name;
    job.server = options.server_oid;
    if (!options.server.empty()) return;
    for (const char *const secret : {"password", "sslpassword", "sslkey", "oauth_client_secret"})
        if (options.find(secret) != nullptr)
            raise(sqlstate::invalid_parameter,
                  std::string("src_conninfo of a job must not have the option \"") + secret + "\"",
                  "Use a foreign server and a user mapping, which keep it: CREATE SERVER, CREATE USER MAPPING.");
}

// The jobs of a group read one snapshot. Whoever changes a server later learns it from catch_up.
void check_group(const Job &job, const Jobs &jobs) {
    const SourceIdentity source = identify_source(resolve_source(job.request.src_conninfo));
    for (const Job &other : jobs.find_others_of_group(job)) {
        SourceIdentity its_source{.server = other.server};
        if (!OidIsValid(other.server)) its_source = identify_source(resolve_source(other.request.src_conninfo));
        check_same_source(job, source, other, its_source);
    }
}

// Finds a table by its name; InvalidOid if it does not exist yet.
Oid find_target(const std::string &name) {
    const char *const text = name.c_str();
    const Oid found = pg_call([=] { return find_relation(text); });
    if (OidIsValid(found) && pg_call([=] { return get_rel_persistence(found); }) == RELPERSISTENCE_TEMP)
        raise(sqlstate::feature_not_supported, "a job cannot load into a temporary table",
              "Name a table that other sessions see too, or use copy_incremental().");
    return found;
}

// Returns whether window_column is an integer. Other errors of the request are left to the check of the first window.
bool has_id_column(const Job &job, ConnectionKeeper &keeper) {
    if (!job.request.window_column) return false;
    const RunGuard guard;
    CopyRequest request = looking_request(job.request);
    request.span = Span{0, 1};
    request.window_kind = WindowKind::ids;
    PreparedRun run(request, TargetUse::look, CurTransactionContext, &keeper);
    const std::optional<Oid> type = run.find_column_type(*request.window_column);
    run.source().send_commit();
    run.source().receive_commit();
    run.give_back_source();
    return type && has_ids(*type);
}

// Sets which kind of windows the job has, and their size.
void set_windows(Job &job, const NamedValues &arguments, ConnectionKeeper &keeper) {
    const auto number = [&](const char *name) {
        return arguments.is_null(name) ? std::nullopt
                                       : std::optional<std::int64_t>(DatumGetInt64(arguments.value(name)));
    };
    constexpr std::int64_t standard_size = 100000;
    const auto refuse = [](const std::string &message, const char *hint) {
        raise(sqlstate::invalid_parameter, message, hint);
    };
    if (!has_id_column(job, keeper)) {
        for (const char *const name : {"window_size_rows", "first_id"})
            if (number(name))
                refuse(std::string(name) + " has no meaning without windows of ids",
                       "Pass a window_column of type smallint, integer or bigint, or leave it out.");
        return;
    }
    if (!arguments.is_null("first_day"))
        refuse("first_day has no meaning with windows of ids", "Pass first_id, or leave it out to load everything.");
    const bool is_default =
        job.window_size && job.window_size->time == 0 && job.window_size->day == 1 && job.window_size->month == 0;
    if (!is_default)
        refuse("window_size has no meaning with windows of ids", "Pass window_size_rows, or leave both out.");
    job.window_size.reset();
    job.window_size_rows = number("window_size_rows").value_or(standard_size);
    job.first_id = number("first_id");
    job.request.window_kind = WindowKind::ids;
}

// Warns if it cannot be known whether windows of the job are settled.
void warn_of_settling(PreparedRun &run) {
    if (!run.window() || run.request().settle == Settle::off) return;
    const Doubt doubt =
        run.window()->is_of_ids() ? doubt_of(run.source_ids()) : doubt_of(run.source(), *run.window(), run.query());
    if (!doubt.detail.empty()) warn_of_doubt("a window of job \"" + run.request().job + "\"", doubt);
}

// Raises what a run of the first window would raise before its first row. Sets the target and the columns.
void check_first_window(Job &job, ConnectionKeeper &keeper) {
    const RunGuard guard;
    PreparedRun run(job.request, TargetUse::write, CurTransactionContext, &keeper);
    run.open();
    warn_of_settling(run);
    check_may_read(run.source(), run.query());
    const LoadPlan plan = run.plan();
    warn_of_left_null(job.request, run.target(), plan);
    warn_of_transform(run, plan);
    run.source().send_commit();
    run.source().receive_commit();
    job.target = run.target().oid();
    job.request.known_columns = known_columns_of(run.columns());
}

void warn_of_no_target(const std::string &job, const NewTable &table) {
    const std::string name = table.name();
    const std::string script = shown_script(table.script());
    pg_call([&] {
        ereport(WARNING,
                (errcode(ERRCODE_UNDEFINED_TABLE),
                 errmsg("table %s, the target of job \"%s\", does not exist yet", name.c_str(), job.c_str()),
                 errdetail("Only the connection and the query could be checked. Runs of the job fail until the "
                           "table exists."),
                 errhint("Define the job with create_target => true to have it created, or create it:\n%s",
                         script.c_str())));
    });
}

// Checks the connection and the query of a job whose target does not exist.
void check_without_target(Job &job, ConnectionKeeper &keeper) {
    const RunGuard guard;
    PreparedRun run(job.request, TargetUse::write, CurTransactionContext, &keeper);
    const std::optional<NewTable> table = run.open_or_design();
    check_may_read(run.source(), run.query());
    warn_of_settling(run);
    run.source().send_commit();
    run.source().receive_commit();
    job.request.known_columns = known_columns_of(run.columns());
    if (table) warn_of_no_target(job.name, *table);
}

// Raises 0A000 if the windows that the job has loaded, also with rejected rows, would not be loaded by the new definition.
void check_replaced(const Job &earlier, const Job &job, Oid schema) {
    if (find_tried_windows(schema, earlier).empty()) return;
    const auto refuse = [&](const char *what) {
        raise(
            sqlstate::feature_not_supported, std::string(what) + " of job \"" + job.name + "\" cannot be changed",
            "Drop the job with copy_incremental_drop_job() and define it again; then its windows count as not loaded.",
            "The job has a record of the windows that are loaded into " + earlier.target_name + ".");
    };
    if (!OidIsValid(earlier.target) || earlier.target != job.target) refuse("the target");
    if (!job.has_windows()) refuse("window_size");
    if (earlier.kind() != job.kind()) refuse("the kind of the windows");
    if (earlier.request.time_zone != job.request.time_zone) refuse("the time zone");
    if (earlier.request.column_time_zone != job.request.column_time_zone) refuse("column_time_zone");
    if (earlier.request.window_column != job.request.window_column) refuse("window_column");
}

// Keeps what or_replace does not change: arguments that were not passed and have no default.
void keep_earlier(Job &job, const Job &earlier, const NamedValues &arguments) {
    job.id = earlier.id;
    job.version = earlier.version + 1;
    if (OidIsValid(earlier.owner)) job.owner = earlier.owner;
    if (arguments.is_null("first_day")) job.first_day = earlier.first_day;
    if (arguments.is_null("first_id") && job.kind() == WindowKind::ids) job.first_id = earlier.first_id;
    if (arguments.is_null("time_zone")) job.request.time_zone = earlier.request.time_zone;
}

} // namespace

void define_job(const NamedValues &arguments, Oid schema) {
    check_may_write();
    Job job;
    job.name = read_name(arguments);
    if (!arguments.is_null("window_size")) job.window_size = read_interval(arguments, "window_size");
    job.lag = read_interval(arguments, "lag");
    check_lag(job.lag);
    job.owner = GetUserId();
    CopyRequest &request = job.request;
    request.schema = schema;
    request.job = job.name;
    request.src_conninfo = arguments.required_text("src_conninfo");
    request.query_template = arguments.required_text("query_template");
    read_options(arguments, request);
    request.time_zone = TimeZone::resolve(request.time_zone ? request.time_zone->c_str() : nullptr).name();
    job.first_day = arguments.is_null("first_day") ? today(job.zone()) : DatumGetDateADT(arguments.value("first_day"));
    arguments.require("or_replace");
    const bool or_replace = DatumGetBool(arguments.value("or_replace"));
    const Jobs jobs(schema);
    const std::optional<Job> earlier = lock_earlier(jobs, job.name, or_replace);
    if (job.has_windows()) {
        request.span = job.grid().span_of(0);
        // Raises an error if the lag is not valid.
        (void)job.grid().due_to(GetCurrentTimestamp(), job.lag);
    }
    check_rules(request);
    set_source(job);
    ConnectionKeeper keeper(CurTransactionContext);
    set_windows(job, arguments, keeper);
    if (earlier) keep_earlier(job, *earlier, arguments);
    if (job.has_windows()) request.span = job.grid().span_of(0);
    check_rules(request);
    const std::optional<std::string> target = arguments.optional_text("target");
    if (target) request.target = find_target(*target);
    if (target && !OidIsValid(request.target)) request.target_name = *target;
    if (!request.target_name.empty() && !request.create_target) {
        check_without_target(job, keeper);
        job.target_name = *target;
    } else {
        check_first_window(job, keeper);
        job.target_name = pg_call([&] { return qualified_name(job.target); });
    }
    warn_of_bounds(request);
    check_group(job, jobs);
    if (earlier) check_replaced(*earlier, job, schema);
    // The new definition may read another source, or settle in another way.
    if (earlier) IdMarks(schema).drop(earlier->id);
    jobs.store(job, arguments);
}

} // namespace pgci
