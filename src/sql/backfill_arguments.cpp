#include "sql/backfill_arguments.hpp"

#include "server/guard.hpp"
#include "request/copy_arguments.hpp"

namespace pgci {

BackfillRequest read_backfill_arguments(FunctionCallInfo fcinfo) {
    const FunctionArguments arguments(fcinfo);
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
