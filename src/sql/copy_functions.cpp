// The SQL functions copy_incremental(), _range() and _batches(), and the function that returns the current batch to their
// statements.
#include "server/guard.hpp"
#include "request/copy_arguments.hpp"
#include "rows/batch_in_hand.hpp"
#include "run/copy_window.hpp"
#include "sql/control_arguments.hpp"

extern "C" {

PG_FUNCTION_INFO_V1(copy_incremental);
PG_FUNCTION_INFO_V1(copy_incremental_range);
PG_FUNCTION_INFO_V1(copy_incremental_batches);
PG_FUNCTION_INFO_V1(copy_incremental_batch_rows);

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

Datum copy_incremental_batch_rows(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] {
        pgci::pg_call([fcinfo] { pgci::BatchInHand::return_rows(fcinfo); });
        return Datum{0};
    });
}

} // extern "C"
