#include "sql/backfill_arguments.hpp"

#include "server/guard.hpp"
#include "request/copy_arguments.hpp"

namespace pgci {

namespace {

int jobs_value(const FunctionArguments &arguments) {
    constexpr int most_jobs = 64;
    arguments.require("jobs");
    const int jobs = DatumGetInt32(arguments.value("jobs"));
    if (jobs < 1 || jobs > most_jobs)
        raise(sqlstate::invalid_parameter,
              "jobs must be between 1 and " + std::to_string(most_jobs) + ", not " + std::to_string(jobs),
              "It is the number of days that are copied at once.");
    return jobs;
}

Reprocess reprocess_value(const FunctionArguments &arguments) {
    const std::string value = arguments.required_text("reprocess");
    if (value == "missing") return Reprocess::missing;
    if (value == "failed") return Reprocess::failed;
    if (value == "all") return Reprocess::all;
    refuse_word("reprocess", value, "missing, failed, all");
}

} // namespace

BackfillRequest read_backfill_arguments(FunctionCallInfo fcinfo) {
    const FunctionArguments arguments(fcinfo);
    CopyRequest copy = read_copy_arguments(fcinfo);
    BackfillRequest request{.copy = std::move(copy), .days = read_days(arguments)};
    request.jobs = jobs_value(arguments);
    request.reprocess = reprocess_value(arguments);
    if (request.jobs > 1) request.call = pack_call(fcinfo);
    if (request.reprocess == Reprocess::all && request.copy.mode == Mode::append &&
        request.copy.on_rerun == OnRerun::error)
        raise(sqlstate::invalid_parameter, "reprocess => 'all' in mode append would double the days that are there",
              "Use mode replace or upsert, or reprocess => 'missing'; or on_rerun => 'run' if the rows are gone.");
    return request;
}

} // namespace pgci
