#include "sql/job_arguments.hpp"

#include "server/guard.hpp"
#include "request/named_values.hpp"
#include "ledger/jobs.hpp"

namespace pgci {

namespace {

TimeSpan window_of_day(const Job &job, DateADT day) {
    const TimeZone zone = job.zone();
    const Window whole_day = Window::of_day(day, zone);
    const WindowGrid grid = job.grid();
    const TimeSpan window = grid.span_of(grid.number_at(whole_day.start()));
    return window.end > whole_day.end() ? window : whole_day.span();
}

} // namespace

CopyRequest read_job_request(FunctionCallInfo fcinfo) {
    const NamedValues arguments(fcinfo);
    const Jobs jobs(extension_schema(fcinfo));
    const Job job = jobs.find(arguments.required_text("job"));
    CopyRequest request = jobs.request_of(job);
    if (arguments.has("data_interval")) {
        arguments.require("data_interval");
        const Datum value = arguments.value("data_interval");
        request.data_interval = read_span(pg_call([=] { return DatumGetRangeTypeP(value); }));
    } else {
        arguments.require("day");
        request.data_interval = window_of_day(job, DatumGetDateADT(arguments.value("day")));
    }
    return request;
}

} // namespace pgci
