#include "ledger/job_windows.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"

namespace pgci {

WindowGrid Job::grid() const {
    if (window_size_rows) return WindowGrid(*window_size_rows);
    if (window_size) return {first_day, *window_size, zone()};
    raise(sqlstate::invalid_parameter, "job \"" + shorten(name) + "\" has no windows",
          "Pass NULL as day to copy_incremental_run(), _verify() and _repair(), which take the whole result of its "
          "query.");
}

NamedWindows read_named_windows(const NamedValues &arguments) {
    NamedWindows named;
    if (!arguments.is_null("ids"))
        named.ids = read_ids(pg_call([value = arguments.value("ids")] { return DatumGetRangeTypeP(value); }));
    if (arguments.is_null("first_day") && arguments.is_null("last_day")) return named;
    if (named.ids)
        raise(sqlstate::invalid_parameter, "days and ids cannot be used together",
              "Pass days to a job of time, and ids to a job of ids.");
    arguments.require("first_day");
    arguments.require("last_day");
    named.days.emplace(DatumGetDateADT(arguments.value("first_day")), DatumGetDateADT(arguments.value("last_day")));
    return named;
}

void check_kind(const Job &job, WindowKind kind) {
    if (!job.has_windows()) (void)job.grid();
    if (job.kind() == kind) return;
    const bool has_ids = job.kind() == WindowKind::ids;
    raise(sqlstate::invalid_parameter,
          "job \"" + shorten(job.name) + "\" has windows of " + (has_ids ? "ids, not of time" : "time, not of ids"),
          has_ids ? "Pass ids => int8range(1, 1001), or call copy_incremental_run_ids()." : "Pass days.");
}

Span span_of(const Job &job, const NamedWindows &named) {
    if (!named.days && !named.ids) {
        (void)job.grid();
        const bool has_ids = job.kind() == WindowKind::ids;
        raise(sqlstate::null_not_allowed,
              "job \"" + shorten(job.name) + "\" has windows of " +
                  (has_ids ? "ids, so ids must not be NULL" : "time, so the days must not be NULL"),
              has_ids ? "Pass ids => int8range(1, 1001)." : "Pass first_day and last_day.");
    }
    check_kind(job, named.ids ? WindowKind::ids : WindowKind::time);
    if (named.ids) return *named.ids;
    const TimeZone zone = job.zone();
    const DayRange &days = *named.days;
    return {Window::of_day(days.day(0), zone).start(), Window::of_day(days.day(days.size() - 1), zone).end()};
}

std::vector<Span> windows_of(const Job &job, const NamedWindows &named) {
    std::vector<Span> windows = job.grid().windows(span_of(job, named), most_windows_of_call + 1);
    if (windows.size() > most_windows_of_call)
        raise(sqlstate::invalid_parameter,
              std::string(named.ids ? "the ids" : "the days") + " have more than " +
                  std::to_string(most_windows_of_call) + " windows",
              named.ids ? "Call it for fewer ids." : "Call it for fewer days.");
    return windows;
}

std::vector<std::optional<Span>> parts_of_job(const Job &job, const NamedWindows &named) {
    if (!named.days && !named.ids && !job.has_windows()) return {std::nullopt};
    const std::vector<Span> windows = windows_of(job, named);
    return {windows.begin(), windows.end()};
}

TextRow window_columns(WindowKind kind, const std::optional<Span> &window, const TimeZone &zone) {
    if (!window) return {std::nullopt, std::nullopt, std::nullopt};
    if (kind == WindowKind::ids) return {std::nullopt, std::nullopt, Window::of_ids(*window).name()};
    const auto moment = [](TimestampTz value) {
        return std::string(pg_call([=] { return timestamptz_to_str(value); }));
    };
    const DateADT day = pg_call([local = local_time(window->start, zone)] {
        return DatumGetDateADT(DirectFunctionCall1(timestamp_date, TimestampGetDatum(local)));
    });
    return {Window::of_day(day, zone).name(), "[\"" + moment(window->start) + "\",\"" + moment(window->end) + "\")",
            std::nullopt};
}

} // namespace pgci
