#include "sql/job_arguments.hpp"

#include "server/guard.hpp"
#include "request/named_values.hpp"
#include "ledger/backlog.hpp"
#include "ledger/rejected_rows.hpp"

namespace pgci {

namespace {

TimeSpan window_of_day(const Job &job, DateADT day) {
    const TimeZone zone = job.zone();
    const Window whole_day = Window::of_day(day, zone);
    if (whole_day.start() >= whole_day.end())
        raise(sqlstate::datetime_overflow, "there is no day " + whole_day.name() + " in time zone " + zone.name(),
              "The clocks of this time zone skip the day. It has no window.");
    const WindowGrid grid = job.grid();
    const TimeSpan window = grid.span_of(grid.number_at(whole_day.start()));
    return window.end > whole_day.end() ? window : whole_day.span();
}

// Returns nothing for a job without windows.
std::optional<TimeSpan> read_window(const NamedValues &arguments, const Job &job) {
    const char *const day = arguments.has("first_day") ? "first_day" : "day";
    if (!job.has_windows() && !arguments.has("data_interval") && arguments.is_null(day)) return std::nullopt;
    if (arguments.has("data_interval")) {
        arguments.require("data_interval");
        const Datum value = arguments.value("data_interval");
        return read_span(pg_call([=] { return DatumGetRangeTypeP(value); }));
    }
    arguments.require(day);
    return window_of_day(job, DatumGetDateADT(arguments.value(day)));
}

std::optional<TimeSpan> next_window(const Job &job, Oid schema) {
    if (!job.has_windows()) return std::nullopt;
    return find_backlog(job, find_tried_windows(schema, job.id)).oldest.value_or(job.grid().span_of(0));
}

} // namespace

CopyRequest read_job_request(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    const Jobs jobs(extension_schema(fcinfo));
    const Job job = jobs.find(arguments.required_text("job"));
    CopyRequest request = jobs.request_of(job);
    request.data_interval = read_window(arguments, job);
    return request;
}

CopyRequest read_job_window(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    const Job job = Jobs(extension_schema(fcinfo)).find(arguments.required_text("job"));
    CopyRequest request = job.request;
    request.data_interval = read_window(arguments, job);
    return request;
}

JobRequest read_any_window(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    const Oid schema = extension_schema(fcinfo);
    const Jobs jobs(schema);
    JobRequest found{.job = jobs.find(arguments.required_text("job")), .request = {}};
    found.request = jobs.request_of(found.job);
    found.request.data_interval =
        arguments.is_null("day") ? next_window(found.job, schema) : read_window(arguments, found.job);
    return found;
}

} // namespace pgci
