#include "sql/control_arguments.hpp"

#include "server/guard.hpp"
#include "server/spi.hpp"
#include "server/sql_text.hpp"
#include "request/copy_arguments.hpp"
#include "request/option_arguments.hpp"
#include "ledger/coverage.hpp"
#include "ledger/forget.hpp"
#include "ledger/id_marks.hpp"
#include "ledger/jobs.hpp"
#include "ledger/rejected_rows.hpp"
#include "run/retry_rejects.hpp"
#include "many/backfill.hpp"
#include "many/catch_up.hpp"
#include "many/repair_windows.hpp"
#include "many/run_control.hpp"
#include "sql/job_arguments.hpp"

namespace pgci {

std::int64_t start_run(FunctionCallInfo fcinfo) {
    const CopyRequest request = read_job_window(fcinfo);
    if (!request.span)
        raise(sqlstate::feature_not_supported, "copy_incremental_start() needs a job with windows",
              "Call copy_incremental_run().");
    return start_run(request.schema, request.job_id, *request.span);
}

bool wait_for_run(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    arguments.require("run_id");
    std::optional<std::int64_t> milliseconds;
    if (!arguments.is_null("timeout")) {
        const Interval *const timeout = DatumGetIntervalP(arguments.value("timeout"));
        constexpr std::int64_t month = 30;
        const std::int64_t days = timeout->day + month * timeout->month;
        milliseconds = days * (USECS_PER_DAY / 1000) + timeout->time / 1000;
        if (*milliseconds < 0)
            raise(sqlstate::invalid_parameter, "timeout must not be negative", "Pass NULL to wait without a limit.");
    }
    return wait_for_run(extension_schema(fcinfo), DatumGetInt64(arguments.value("run_id")), milliseconds);
}

bool cancel_run(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    arguments.require("run_id");
    return cancel_run(extension_schema(fcinfo), DatumGetInt64(arguments.value("run_id")));
}

std::int64_t retry_rejects(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    arguments.require("run_id");
    return retry_rejects(extension_schema(fcinfo), DatumGetInt64(arguments.value("run_id")));
}

void check_may_commit(FunctionCallInfo fcinfo) {
    const bool may_commit = fcinfo->context != nullptr && IsA(fcinfo->context, CallContext) &&
                            !reinterpret_cast<const CallContext *>(fcinfo->context)->atomic;
    if (may_commit) return;
    const Oid procedure = fcinfo->flinfo->fn_oid;
    const std::string name = pg_call([=] { return get_func_name(procedure); });
    raise(sqlstate::invalid_transaction, name + "() cannot be called inside a transaction block",
          "Use autocommit (psycopg: connection.autocommit = True; Airflow: autocommit=True) and one statement per "
          "string; or use copy_incremental() or copy_incremental_run(), which are one transaction.",
          name == "copy_incremental_batches" ? "It commits after every batch." : "It commits after every window.");
}

std::int64_t forget_windows(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    arguments.require("target");
    const auto day = [&](const char *name) {
        return arguments.is_null(name) ? std::nullopt : std::optional(DatumGetDateADT(arguments.value(name)));
    };
    ForgottenWindows windows{.first_day = day("first_day"), .last_day = day("last_day")};
    if (windows.first_day && windows.last_day && *windows.last_day < *windows.first_day)
        raise(sqlstate::invalid_parameter, "last_day is before first_day",
              "Pass the earlier day first; both days are included.");
    if (!arguments.is_null("ids")) {
        if (!windows.are_all())
            raise(sqlstate::invalid_parameter, "days and ids cannot be used together", "Pass NULL as days.");
        windows.ids = read_named_windows(arguments).ids;
    }
    return forget(extension_schema(fcinfo), DatumGetObjectId(arguments.value("target")), windows,
                  arguments.optional_text("job"));
}

static void add_missing(std::vector<TextRow> &rows, const Job &job, Span window, const char *status) {
    rows.push_back(window_columns(job.kind(), window, job.zone()));
    rows.back().emplace_back(status);
}

// Ranges of ids, cut where their status changes.
static std::vector<TextRow> find_missing_ids(const Job &job, Span span, const std::vector<Span> &covered,
                                             const std::vector<Span> &tried) {
    std::vector<TextRow> rows;
    for (const Span &gap : uncovered(span, covered)) {
        std::int64_t from = gap.start;
        for (const Span &missing : uncovered(gap, tried)) {
            if (from < missing.start) add_missing(rows, job, {from, missing.start}, "rejects");
            add_missing(rows, job, missing, "missing");
            from = missing.end;
        }
        if (from < gap.end) add_missing(rows, job, {from, gap.end}, "rejects");
    }
    return rows;
}

std::vector<TextRow> find_missing_windows(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    const Oid schema = extension_schema(fcinfo);
    const Job job = Jobs(schema).find(arguments.required_text("job"), JobUse::manage);
    const NamedWindows named = read_named_windows(arguments);
    const std::vector<Span> covered = Coverage(schema, job.kind()).find(job.id);
    const std::vector<Span> tried = find_tried_windows(schema, job);
    if (job.kind() == WindowKind::ids && !named.days)
        return find_missing_ids(job, named.ids ? *named.ids : seen_ids(job, tried, IdMarks(schema).find(job.id)),
                                covered, tried);
    const std::vector<Span> windows =
        uncovered_windows(job.grid(), span_of(job, named), covered, most_windows_of_call + 1);
    if (windows.size() > most_windows_of_call)
        raise(sqlstate::invalid_parameter,
              "more than " + std::to_string(most_windows_of_call) + " windows of these days are missing",
              "Call it for fewer days.");
    std::vector<TextRow> rows;
    rows.reserve(windows.size());
    for (const Span &window : windows)
        add_missing(rows, job, window, uncovered(window, tried).empty() ? "rejects" : "missing");
    return rows;
}

void grant_verbs(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    arguments.require("role");
    const Oid role = DatumGetObjectId(arguments.value("role"));
    const std::string grantee = pg_call([=] { return GetUserNameFromId(role, false); });
    std::string verbs;
    for (const TextRow &row : select_rows(
             "SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text, p.proname, "
             "pg_catalog.has_function_privilege(p.oid, "
             "'EXECUTE WITH GRANT OPTION') FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_proc AS p ON p.oid "
             "OPERATOR(pg_catalog.=) d.objid WHERE d.classid OPERATOR(pg_catalog.=) "
             "'pg_catalog.pg_proc'::pg_catalog.regclass AND d.deptype OPERATOR(pg_catalog.=) 'e' AND d.refclassid "
             "OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid "
             "OPERATOR(pg_catalog.=) "
             "(SELECT e.refobjid FROM pg_catalog.pg_depend AS e WHERE e.classid OPERATOR(pg_catalog.=) d.classid AND "
             "e.objid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND e.deptype OPERATOR(pg_catalog.=) 'e') AND "
             "pg_catalog.starts_with(p.proname::pg_catalog.text, 'copy_incremental') AND p.proname "
             "OPERATOR(pg_catalog.<>) ALL "
             "('{copy_incremental_batch_rows,copy_incremental_grant}'::pg_catalog.name[]) ORDER BY 1",
             {std::to_string(fcinfo->flinfo->fn_oid)})) {
        if (row[2] != "t" && row[2] != "true")
            raise(sqlstate::insufficient_privilege, "permission denied for function " + *row[1],
                  "Its owner or a superuser can grant it.");
        verbs += (verbs.empty() ? "" : ", ") + *row[0];
    }
    const std::string recipient = " TO " + quote_identifier(grantee);
    std::string grant = "GRANT EXECUTE ON ROUTINE " + verbs + recipient;
    for (const TextRow &row : select_rows(
             "SELECT pg_catalog.quote_ident(nspname) FROM pg_catalog.pg_namespace WHERE oid OPERATOR(pg_catalog.=) "
             "$1::pg_catalog.oid AND NOT pg_catalog.has_schema_privilege($2::pg_catalog.oid, oid, 'USAGE')",
             {std::to_string(extension_schema(fcinfo)), std::to_string(role)}))
        grant += "; GRANT USAGE ON SCHEMA " + *row[0] + recipient;
    const char *const sql = grant.c_str();
    pg_call([=] {
        spi_connect();
        if (const int code = SPI_execute(sql, false, 0); code < 0) raise_spi("SPI_execute", code);
        spi_finish();
    });
}

static int read_workers(const NamedValues &arguments) {
    constexpr int most_workers = 64;
    arguments.require("workers");
    const int workers = DatumGetInt32(arguments.value("workers"));
    if (workers < 1 || workers > most_workers)
        raise(sqlstate::invalid_parameter,
              "workers must be between 1 and " + std::to_string(most_workers) + ", not " + std::to_string(workers),
              "It is the number of windows that are loaded at the same time.");
    return workers;
}

void catch_up(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    const int workers = read_workers(arguments);
    const std::optional<std::string> job = arguments.optional_text("job");
    const std::optional<std::string> group = arguments.optional_text("job_group");
    if (job && group)
        raise(sqlstate::invalid_parameter, "job and job_group cannot be used together", "Pass one of them.");
    arguments.require("atomic");
    const bool is_atomic = DatumGetBool(arguments.value("atomic"));
    if (job && is_atomic)
        raise(sqlstate::invalid_parameter, "atomic has no meaning for one job",
              "Pass job_group instead of job, or leave atomic out: each window is a transaction.");
    check_may_commit(fcinfo);
    catch_up(extension_schema(fcinfo), job, group, workers, is_atomic);
}

void backfill(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    const std::string job = arguments.required_text("job");
    const NamedWindows named = read_named_windows(arguments);
    const int workers = read_workers(arguments);
    const auto reprocess = read_word<Reprocess>(arguments, "reprocess");
    check_may_commit(fcinfo);
    backfill(extension_schema(fcinfo), job, named, workers, reprocess);
}

void repair(FunctionCallInfo fcinfo, const std::function<void(const TextRow &)> &sink) {
    const NamedValues arguments(fcinfo);
    const std::string job = arguments.required_text("job");
    const NamedWindows named = read_named_windows(arguments);
    const auto deletes = read_word<Deletes>(arguments, "deletes");
    repair_windows(extension_schema(fcinfo), job, named, deletes, sink);
}

} // namespace pgci
