// The SQL functions that manage runs: catch_up, backfill, repair, retry_rejects, start, wait, cancel, missing, forget, grant.
#include "server/guard.hpp"
#include "sql/control_arguments.hpp"
#include "sql/job_boundary.hpp"
#include "sql/set_result.hpp"

extern "C" {

PG_FUNCTION_INFO_V1(copy_incremental_catch_up);
PG_FUNCTION_INFO_V1(copy_incremental_backfill);
PG_FUNCTION_INFO_V1(copy_incremental_repair);
PG_FUNCTION_INFO_V1(copy_incremental_retry_rejects);
PG_FUNCTION_INFO_V1(copy_incremental_start);
PG_FUNCTION_INFO_V1(copy_incremental_start_range);
PG_FUNCTION_INFO_V1(copy_incremental_wait);
PG_FUNCTION_INFO_V1(copy_incremental_cancel);
PG_FUNCTION_INFO_V1(copy_incremental_missing);
PG_FUNCTION_INFO_V1(copy_incremental_forget);
PG_FUNCTION_INFO_V1(copy_incremental_grant);

Datum copy_incremental_catch_up(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo, [fcinfo] {
        pgci::catch_up(fcinfo);
        return Datum{0};
    });
}

Datum copy_incremental_backfill(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo, [fcinfo] {
        pgci::backfill(fcinfo);
        return Datum{0};
    });
}

Datum copy_incremental_repair(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo, [fcinfo] {
        pgci::SetResult result(fcinfo);
        pgci::repair(fcinfo, [&](const pgci::TextRow &row) { result.add(row); });
        return Datum{0};
    });
}

Datum copy_incremental_retry_rejects(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] { return Int64GetDatum(pgci::retry_rejects(fcinfo)); });
}

Datum copy_incremental_start(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo, [fcinfo] { return Int64GetDatum(pgci::start_run(fcinfo)); });
}

Datum copy_incremental_start_range(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo, [fcinfo] { return Int64GetDatum(pgci::start_run(fcinfo)); });
}

Datum copy_incremental_wait(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] { return BoolGetDatum(pgci::wait_for_run(fcinfo)); });
}

Datum copy_incremental_cancel(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] { return BoolGetDatum(pgci::cancel_run(fcinfo)); });
}

Datum copy_incremental_missing(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo, [fcinfo] {
        pgci::return_rows(fcinfo, pgci::find_missing_windows(fcinfo));
        return Datum{0};
    });
}

Datum copy_incremental_forget(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo, [fcinfo] { return Int64GetDatum(pgci::forget_windows(fcinfo)); });
}

Datum copy_incremental_grant(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] {
        pgci::grant_verbs(fcinfo);
        return Datum{0};
    });
}

} // extern "C"
