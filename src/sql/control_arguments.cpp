#include "sql/control_arguments.hpp"

#include "server/guard.hpp"
#include "request/copy_arguments.hpp"
#include "request/option_arguments.hpp"
#include "ledger/ledger.hpp"
#include "many/run_control.hpp"

namespace pgci {

std::int64_t start_run(FunctionCallInfo fcinfo) {
    // What is wrong with the arguments is found before a worker is launched.
    return start_run(read_copy_arguments(fcinfo).schema, pack_call(fcinfo));
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
    return wait_for_run(extension_schema(fcinfo), DatumGetInt64(arguments.value("run_id")), milliseconds,
                        pack_call(fcinfo));
}

bool cancel_run(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    arguments.require("run_id");
    return cancel_run(extension_schema(fcinfo), DatumGetInt64(arguments.value("run_id")), pack_call(fcinfo));
}

void check_may_commit(FunctionCallInfo fcinfo) {
    const bool may_commit = fcinfo->context != nullptr && IsA(fcinfo->context, CallContext) &&
                            !reinterpret_cast<const CallContext *>(fcinfo->context)->atomic;
    if (may_commit) return;
    const Oid procedure = fcinfo->flinfo->fn_oid;
    const std::string name = pg_call([=] { return get_func_name(procedure); });
    raise(sqlstate::invalid_transaction, name + "() cannot be called inside a transaction block",
          "Use autocommit (psycopg: connection.autocommit = True; Airflow: autocommit=True) and one statement per "
          "string; or use copy_incremental(), which is one transaction.",
          name == "copy_incremental_backfill" ? "It commits after every day." : "It commits after every batch.");
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

BackfillRequest read_backfill_arguments(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    CopyRequest copy = read_copy_arguments(fcinfo);
    BackfillRequest request{.copy = std::move(copy), .days = read_days(arguments)};
    if (request.copy.jobs > 1) request.call = pack_call(fcinfo);
    if (request.copy.reprocess == Reprocess::all && request.copy.mode == Mode::append &&
        request.copy.on_rerun == OnRerun::error)
        raise(sqlstate::invalid_parameter, "reprocess => 'all' in mode append would double the days that are there",
              "Use mode replace or upsert, or reprocess => 'missing'; or on_rerun => 'run' if the rows are gone.");
    return request;
}

} // namespace pgci
