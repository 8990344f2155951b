#include "ledger/job_days.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"

namespace pgci {

WindowGrid Job::grid() const {
    if (window_size) return {first_day, *window_size, zone()};
    raise(sqlstate::invalid_parameter, "job \"" + shorten(name) + "\" has no windows",
          "Pass NULL as day to copy_incremental_run(), _verify() and _repair(), which take the whole result of its "
          "query.");
}

TimeSpan span_of_days(const Job &job, const DayRange &days) {
    const TimeZone zone = job.zone();
    return {Window::of_day(days.day(0), zone).start(), Window::of_day(days.day(days.size() - 1), zone).end()};
}

std::vector<TimeSpan> windows_of_days(const Job &job, const DayRange &days) {
    std::vector<TimeSpan> windows = job.grid().windows(span_of_days(job, days), most_windows_of_days + 1);
    if (windows.size() > most_windows_of_days)
        raise(sqlstate::invalid_parameter,
              "the days have more than " + std::to_string(most_windows_of_days) + " windows",
              "Call it for fewer days.");
    return windows;
}

std::vector<std::optional<TimeSpan>> parts_of_job(const Job &job, const std::optional<DayRange> &days) {
    if (!days && !job.has_windows()) return {std::nullopt};
    if (!days)
        raise(sqlstate::null_not_allowed, "job \"" + shorten(job.name) + "\" has windows, so the days must not be NULL",
              "Pass first_day and last_day.");
    const std::vector<TimeSpan> windows = windows_of_days(job, *days);
    return {windows.begin(), windows.end()};
}

TextRow window_columns(const std::optional<TimeSpan> &window, const TimeZone &zone) {
    if (!window) return {std::nullopt, std::nullopt};
    const auto moment = [](TimestampTz value) {
        return std::string(pg_call([=] { return timestamptz_to_str(value); }));
    };
    const DateADT day = pg_call([local = local_time(window->start, zone)] {
        return DatumGetDateADT(DirectFunctionCall1(timestamp_date, TimestampGetDatum(local)));
    });
    return {Window::of_day(day, zone).name(), "[\"" + moment(window->start) + "\",\"" + moment(window->end) + "\")"};
}

} // namespace pgci
