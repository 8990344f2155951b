#include "many/day_run.hpp"

#include "server/subtransaction.hpp"
#include "run/copy_window.hpp"

namespace pgci {

CopyRequest make_day_request(CopyRequest request, Oid target) {
    request.target = target;
    if (request.mode == Mode::append && request.on_rerun == OnRerun::error) request.on_rerun = OnRerun::skip;
    return request;
}

// The day is a boundary of its own: an exception of its copy is its result, after its work was rolled back.
static std::optional<RunFailure> copy_day(const CopyRequest &request, std::int64_t &rows_written, DayRunner runner) {
    try {
        return in_subtransaction([&] { rows_written = copy_window(request); });
    } catch (const PgError &error) {
        if (runner == DayRunner::session) throw;
        return describe_error(error.data());
    } catch (...) {
        return describe_failure();
    }
}

DayResult run_day(const CopyRequest &request, const TransactionChain &transactions, DayRunner runner) {
    // What is left of a day must not add up over years of them.
    const MemoryContext memory = pg_call(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "copy_incremental day", ALLOCSET_DEFAULT_SIZES); });
    const MemoryContext caller = MemoryContextSwitchTo(memory);
    DayResult result;
    result.started_at = GetCurrentTimestamp();
    result.failure = copy_day(request, result.rows_written, runner);
    // Deferred constraints fail here.
    if (!result.failure) result.failure = transactions.try_commit();
    if (result.failure) result.rows_written = 0;
    result.ended_at = GetCurrentTimestamp();
    MemoryContextSwitchTo(caller);
    pg_call([=] { MemoryContextDelete(memory); });
    return result;
}

} // namespace pgci
