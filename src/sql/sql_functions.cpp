// The SQL functions: unpack the arguments, call, pack the result. No logic.
#include <climits>

#include "server/guard.hpp"
#include "request/copy_arguments.hpp"
#include "source/source_session.hpp"
#include "rows/batch.hpp"
#include "rows/batch_reader.hpp"
#include "run/copy_window.hpp"
#include "look/describe.hpp"
#include "look/explain.hpp"
#include "look/verify.hpp"
#include "many/backfill.hpp"
#include "many/background_worker.hpp"
#include "many/worker_slots.hpp"
#include "sql/backfill_arguments.hpp"
#include "sql/control_arguments.hpp"
#include "sql/set_result.hpp"

extern "C" {

#ifdef PG_MODULE_MAGIC_EXT
PG_MODULE_MAGIC_EXT(.name = "pg_copy_incremental", .version = PGCI_VERSION);
#else
PG_MODULE_MAGIC;
#endif

PGDLLEXPORT void _PG_init(void);
PGDLLEXPORT void copy_incremental_worker(Datum segment);
PG_FUNCTION_INFO_V1(copy_incremental);
PG_FUNCTION_INFO_V1(copy_incremental_range);
PG_FUNCTION_INFO_V1(copy_incremental_batches);
PG_FUNCTION_INFO_V1(copy_incremental_backfill);
PG_FUNCTION_INFO_V1(copy_incremental_missing);
PG_FUNCTION_INFO_V1(copy_incremental_start);
PG_FUNCTION_INFO_V1(copy_incremental_wait);
PG_FUNCTION_INFO_V1(copy_incremental_cancel);
PG_FUNCTION_INFO_V1(copy_incremental_forget);
PG_FUNCTION_INFO_V1(copy_incremental_describe);
PG_FUNCTION_INFO_V1(copy_incremental_explain);
PG_FUNCTION_INFO_V1(copy_incremental_verify);
PG_FUNCTION_INFO_V1(copy_incremental_verify_rows);
PG_FUNCTION_INFO_V1(copy_incremental_batch_rows);

void _PG_init(void) {
    DefineCustomBoolVariable("copy_incremental.source_row_security",
                             "Lets row security of the source hide rows from a copy.",
                             "When off, a row of the source that the source's user may not see is an error.",
                             &pgci::source_row_security, false, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("copy_incremental.max_batch_bytes", "Bounds a batch, and what is on its way, in bytes.",
                            "A batch that reaches it is inserted before it has all its rows; a row larger than it "
                            "still travels.",
                            &pgci::max_batch_bytes, pgci::max_batch_bytes, 64 * 1024, INT_MAX, PGC_USERSET,
                            GUC_UNIT_BYTE, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("copy_incremental.max_workers",
                            "Sets the most background workers of pg_copy_incremental that run at once in this server.",
                            "-1 is half of max_worker_processes.", &pgci::max_workers, pgci::max_workers, -1, 262143,
                            PGC_SUSET, 0, nullptr, nullptr, nullptr);
    MarkGUCPrefixReserved("copy_incremental");
}

Datum copy_incremental(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] { return Int64GetDatum(pgci::copy_window(pgci::read_copy_arguments(fcinfo))); });
}

Datum copy_incremental_range(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] { return Int64GetDatum(pgci::copy_window(pgci::read_copy_arguments(fcinfo))); });
}

Datum copy_incremental_batches(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] {
        const pgci::CopyRequest request = pgci::read_copy_arguments(fcinfo, true);
        pgci::check_may_commit(fcinfo);
        pgci::copy_window(request);
        return Datum{0};
    });
}

// Started by the postmaster, by the name in worker_pool.cpp.
void copy_incremental_worker(Datum segment) {
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    CurrentMemoryContext = AllocSetContextCreate(TopMemoryContext, "copy_incremental worker", ALLOCSET_DEFAULT_SIZES);
    pgci::run_worker(segment);
}

Datum copy_incremental_backfill(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] {
        const pgci::BackfillRequest request = pgci::read_backfill_arguments(fcinfo);
        pgci::check_may_commit(fcinfo);
        pgci::backfill(request);
        return Datum{0};
    });
}

Datum copy_incremental_missing(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] {
        pgci::return_dates(fcinfo, pgci::find_missing_days(fcinfo));
        return Datum{0};
    });
}

Datum copy_incremental_start(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] { return Int64GetDatum(pgci::start_run(fcinfo)); });
}

Datum copy_incremental_wait(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] { return BoolGetDatum(pgci::wait_for_run(fcinfo)); });
}

Datum copy_incremental_cancel(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] { return BoolGetDatum(pgci::cancel_run(fcinfo)); });
}

Datum copy_incremental_forget(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] { return Int64GetDatum(pgci::forget_windows(fcinfo)); });
}

Datum copy_incremental_describe(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] {
        pgci::return_rows(fcinfo, pgci::describe_columns(pgci::read_copy_arguments(fcinfo)));
        return Datum{0};
    });
}

Datum copy_incremental_explain(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] {
        pgci::return_rows(fcinfo, pgci::explain_run(pgci::read_copy_arguments(fcinfo)));
        return Datum{0};
    });
}

Datum copy_incremental_verify(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] {
        pgci::return_rows(fcinfo, pgci::verify_window(pgci::read_copy_arguments(fcinfo)));
        return Datum{0};
    });
}

Datum copy_incremental_verify_rows(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] {
        pgci::SetResult result(fcinfo);
        pgci::find_different_rows(pgci::read_copy_arguments(fcinfo),
                                  [&](const char *difference, const std::string &key) {
                                      result.add({difference, key});
                                  });
        return Datum{0};
    });
}

Datum copy_incremental_batch_rows(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] {
        pgci::pg_call([fcinfo] { pgci::BatchInHand::return_rows(fcinfo); });
        return Datum{0};
    });
}

} // extern "C"
