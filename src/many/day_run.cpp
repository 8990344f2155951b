#include "many/day_run.hpp"

#include "run/copy_window.hpp"

namespace pgci {

CopyRequest make_day_request(CopyRequest request, Oid target) {
    request.target = target;
    if (request.mode == Mode::append && request.on_rerun == OnRerun::error) request.on_rerun = OnRerun::skip;
    return request;
}

DayResult run_day(const CopyRequest &request, const TransactionChain &transactions) {
    // What is left of a day must not add up over years of them.
    const MemoryContext memory = pg_call(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "copy_incremental day", ALLOCSET_DEFAULT_SIZES); });
    const MemoryContext caller = MemoryContextSwitchTo(memory);
    DayResult result;
    result.started_at = GetCurrentTimestamp();
    result.failure = attempt([&] { result.rows_written = copy_window(request); });
    // Deferred constraints fail here.
    if (!result.failure) result.failure = transactions.try_commit();
    if (result.failure) result.rows_written = 0;
    result.ended_at = GetCurrentTimestamp();
    MemoryContextSwitchTo(caller);
    pg_call([=] { MemoryContextDelete(memory); });
    return result;
}

} // namespace pgci
