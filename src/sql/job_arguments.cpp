#include "sql/job_arguments.hpp"

#include "server/guard.hpp"
#include "request/named_values.hpp"
#include "ledger/backlog.hpp"
#include "ledger/coverage.hpp"
#include "ledger/id_marks.hpp"
#include "ledger/job_windows.hpp"
#include "ledger/rejected_rows.hpp"

namespace pgci {

namespace {

Span window_of_day(const Job &job, DateADT day) {
    const TimeZone zone = job.zone();
    const Window whole_day = Window::of_day(day, zone);
    if (whole_day.start() >= whole_day.end())
        raise(sqlstate::datetime_overflow,
              "day " + whole_day.name() + " does not exist in time zone \"" + zone.name() + "\"", "Pass another day.",
              "The clocks of this time zone skip the day.");
    const WindowGrid grid = job.grid();
    const Span window = grid.span_of(grid.number_at(whole_day.start()));
    return window.end > whole_day.end() ? window : whole_day.span();
}

// Returns nothing for a job without windows.
std::optional<Span> read_window(const NamedValues &arguments, const Job &job) {
    const char *const day = arguments.has("first_day") ? "first_day" : "day";
    if (!arguments.is_null("ids")) {
        const std::optional<Span> ids = read_named_windows(arguments).ids;
        check_kind(job, WindowKind::ids);
        return ids;
    }
    if (!job.has_windows() && !arguments.has("data_interval") && arguments.is_null(day)) return std::nullopt;
    if (job.has_windows() && job.kind() == WindowKind::ids) {
        if (arguments.is_null(day) && !arguments.has("data_interval") && arguments.has("ids")) arguments.require("ids");
        check_kind(job, WindowKind::time);
    }
    if (arguments.has("data_interval")) {
        arguments.require("data_interval");
        const Datum value = arguments.value("data_interval");
        return read_span(pg_call([=] { return DatumGetRangeTypeP(value); }));
    }
    arguments.require(day);
    return window_of_day(job, DatumGetDateADT(arguments.value(day)));
}

std::optional<Span> next_window(const Job &job, Oid schema) {
    if (!job.has_windows()) return std::nullopt;
    const std::vector<Span> tried = find_tried_windows(schema, job);
    if (job.kind() == WindowKind::ids) {
        const Span seen = seen_ids(job, tried, IdMarks(schema).find(job.id));
        const std::vector<Span> next = uncovered_windows(job.grid(), seen, tried, 1);
        return next.empty() ? job.grid().windows({seen.end, seen.end + *job.window_size_rows}).front() : next.front();
    }
    return find_backlog(job, tried).oldest.value_or(job.grid().span_of(0));
}

} // namespace

CopyRequest read_job_request(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    const Jobs jobs(extension_schema(fcinfo));
    const Job job = jobs.find(arguments.required_text("job"));
    CopyRequest request = jobs.request_of(job);
    request.span = read_window(arguments, job);
    return request;
}

CopyRequest read_job_window(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    const Job job = Jobs(extension_schema(fcinfo)).find(arguments.required_text("job"));
    CopyRequest request = job.request;
    request.span = read_window(arguments, job);
    return request;
}

JobRequest read_any_window(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    const Oid schema = extension_schema(fcinfo);
    const Jobs jobs(schema);
    JobRequest found{.job = jobs.find(arguments.required_text("job")), .request = {}};
    found.request = jobs.request_of(found.job);
    found.request.span = arguments.is_null("day") && arguments.is_null("ids") ? next_window(found.job, schema)
                                                                              : read_window(arguments, found.job);
    return found;
}

} // namespace pgci
