#include "day_run.hpp"

#include "copy_window.hpp"

namespace pgci {

DayResult run_day(const CopyRequest &request, const RunKey &key, const ProcedureScope &transactions) {
    const TimestampTz started_at = GetCurrentTimestamp();
    DayResult result;
    result.failure = attempt([&] { result.rows_written = copy_window(request); });
    // Deferred constraints fail here.
    if (!result.failure) result.failure = transactions.try_commit();
    if (result.failure) {
        result.rows_written = 0;
        Ledger(request.schema).record_failure(key, mode_name(request.mode), "cursor", started_at, *result.failure);
        transactions.commit();
    }
    result.seconds = static_cast<double>(GetCurrentTimestamp() - started_at) / USECS_PER_SEC;
    return result;
}

} // namespace pgci
