#include "ledger/job_days.hpp"

#include "server/guard.hpp"

namespace pgci {

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

TextRow window_columns(TimeSpan window, const TimeZone &zone) {
    const auto moment = [](TimestampTz value) {
        return std::string(pg_call([=] { return timestamptz_to_str(value); }));
    };
    const DateADT day = pg_call([local = local_time(window.start, zone)] {
        return DatumGetDateADT(DirectFunctionCall1(timestamp_date, TimestampGetDatum(local)));
    });
    return {Window::of_day(day, zone).name(), "[\"" + moment(window.start) + "\",\"" + moment(window.end) + "\")"};
}

} // namespace pgci
