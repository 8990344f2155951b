#include "sql/control_arguments.hpp"

#include "server/guard.hpp"
#include "request/copy_arguments.hpp"
#include "request/option_arguments.hpp"
#include "ledger/ledger.hpp"
#include "many/backfill.hpp"
#include "many/catch_up.hpp"
#include "many/run_control.hpp"
#include "sql/job_arguments.hpp"

namespace pgci {

std::int64_t start_run(FunctionCallInfo fcinfo) {
    const CopyRequest request = read_job_window(fcinfo);
    return start_run(request.schema, request.job_id, *request.data_interval);
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
            raise(sqlstate::invalid_parameter, "timeout must not be negative", "NULL waits as long as it takes.");
    }
    return wait_for_run(extension_schema(fcinfo), DatumGetInt64(arguments.value("run_id")), milliseconds);
}

bool cancel_run(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    arguments.require("run_id");
    return cancel_run(extension_schema(fcinfo), DatumGetInt64(arguments.value("run_id")));
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
    NamedValues(fcinfo).require("target");
    if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2) && PG_GETARG_DATEADT(2) < PG_GETARG_DATEADT(1))
        raise(sqlstate::invalid_parameter, "last_day is before first_day", "Both days are included.");
    const TimeZone zone = TimeZone::resolve(nullptr);
    std::optional<TimestampTz> start;
    std::optional<TimestampTz> end;
    if (!PG_ARGISNULL(1)) start = Window::of_day(PG_GETARG_DATEADT(1), zone).start();
    if (!PG_ARGISNULL(2)) end = Window::of_day(PG_GETARG_DATEADT(2), zone).end();
    const Oid target = PG_GETARG_OID(0);
    return Ledger(extension_schema(fcinfo)).forget(target, start, end);
}

std::vector<DateADT> find_missing_days(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    arguments.require("target");
    const Oid target = read_relation(arguments, "target");
    const DayRange days = read_days(arguments);
    pg_call([=] {
        const AclResult allowed = pg_class_aclcheck(target, GetUserId(), ACL_SELECT | ACL_INSERT);
        if (allowed != ACLCHECK_OK) aclcheck_error(allowed, OBJECT_TABLE, get_rel_name(target));
    });
    std::vector<DateADT> missing;
    for (const std::size_t place :
         RunHistory(extension_schema(fcinfo)).find_uncovered(target, days.windows(TimeZone::resolve(nullptr))))
        missing.push_back(days.day(place));
    return missing;
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
    check_may_commit(fcinfo);
    catch_up(extension_schema(fcinfo), arguments.optional_text("job"), workers);
}

void backfill(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    const std::string job = arguments.required_text("job");
    const DayRange days = read_days(arguments);
    const int workers = read_workers(arguments);
    const Reprocess reprocess = read_word<Reprocess>(arguments, "reprocess");
    check_may_commit(fcinfo);
    backfill(extension_schema(fcinfo), job, days, workers, reprocess);
}

} // namespace pgci
