#include "template/window_grid.hpp"

#include "server/guard.hpp"
#include "template/clock_change.hpp"

namespace pgci {

namespace {

constexpr std::int64_t months_of_year = 12;
constexpr std::int64_t least_size = 5 * USECS_PER_MINUTE;

[[noreturn]] void refuse_size(const char *message) {
    raise(sqlstate::invalid_parameter, message,
          "Pass a number of months, a number of days, or a part of a day from 5 minutes on that divides it, such as "
          "'1 month', '7 days' or '6 hours'.");
}

std::int64_t floor_divide(std::int64_t number, std::int64_t by) {
    return number / by - (number % by != 0 && (number < 0) != (by < 0) ? 1 : 0);
}

} // namespace

WindowGrid::WindowGrid(DateADT first_day, const Interval &window_size, const TimeZone &zone)
    : zone_(zone), first_day_(first_day) {
    // Raises the error if the day cannot be a window.
    (void)Window::of_day(first_day, zone);
    // Whole days in the time part count as days: a grid uses local time.
    std::int64_t microseconds = window_size.time;
    std::int64_t days = window_size.day;
    if (microseconds != 0 && microseconds % USECS_PER_DAY == 0) {
        days += microseconds / USECS_PER_DAY;
        microseconds = 0;
    }
    if (window_size.month < 0 || days < 0 || microseconds < 0) refuse_size("window_size must not be negative");
    if (window_size.month == 0 && days == 0 && microseconds == 0) refuse_size("window_size must not be zero");
    if ((window_size.month != 0) + (days != 0) + (microseconds != 0) != 1)
        refuse_size("window_size must be either months, or days, or a part of a day");
    constexpr std::int64_t most_days = 36525;
    if (window_size.month > most_days || days > most_days) refuse_size("window_size is too long");
    if (microseconds != 0 && USECS_PER_DAY % microseconds != 0) refuse_size("window_size does not divide a day");
    if (microseconds != 0 && microseconds < least_size) refuse_size("window_size is less than 5 minutes");
    months_ = window_size.month;
    days_ = days;
    microseconds_ = microseconds;
}

WindowGrid::WindowGrid(std::int64_t window_size_rows) : zone_(TimeZone::resolve(nullptr)), ids_(window_size_rows) {
    if (window_size_rows < 1)
        raise(sqlstate::invalid_parameter,
              "window_size_rows must be positive, but is " + std::to_string(window_size_rows),
              "It is the number of ids in a window.");
}

std::int64_t WindowGrid::start_of(std::int64_t number) const {
    if (ids_ != 0) {
        std::int64_t start = 0;
        if (!pg_mul_s64_overflow(number, ids_, &start)) return start;
        return number < 0 ? no_start : no_end;
    }
    const std::int64_t first = static_cast<std::int64_t>(first_day_) * USECS_PER_DAY;
    if (microseconds_ != 0) return first_instant(first + number * microseconds_, zone_);
    if (days_ != 0) return first_instant(first + number * days_ * USECS_PER_DAY, zone_);
    // Use the last day of a month that is too short.
    int year = 0;
    int month = 0;
    int day = 0;
    j2date(first_day_ + POSTGRES_EPOCH_JDATE, &year, &month, &day);
    const std::int64_t months = std::int64_t{year} * months_of_year + (month - 1) + number * months_;
    const auto of_year = static_cast<int>(floor_divide(months, months_of_year));
    const auto of_month = static_cast<int>(months - of_year * months_of_year);
    day = std::min(day, day_tab[isleap(of_year) ? 1 : 0][of_month]);
    return first_instant(std::int64_t{date2j(of_year, of_month + 1, day) - POSTGRES_EPOCH_JDATE} * USECS_PER_DAY,
                         zone_);
}

std::int64_t WindowGrid::number_at(std::int64_t instant) const {
    if (ids_ != 0) return floor_divide(instant, ids_);
    constexpr std::int64_t shortest_month = 28;
    const std::int64_t size = microseconds_ != 0 ? microseconds_
                              : days_ != 0       ? days_ * USECS_PER_DAY
                                                 : months_ * shortest_month * USECS_PER_DAY;
    const std::int64_t passed = local_time(instant, zone_) - static_cast<std::int64_t>(first_day_) * USECS_PER_DAY;
    std::int64_t number = floor_divide(passed, size);
    if (months_ != 0) {
        // No more months than this fit into the time, because each has at least 28 days. The search goes down from
        // there.
        std::int64_t low = std::min<std::int64_t>(number, 0) * 2 - 1;
        std::int64_t high = std::max<std::int64_t>(number, 0) + 1;
        while (high - low > 1) {
            const std::int64_t middle = low + (high - low) / 2;
            (start_of(middle) <= instant ? low : high) = middle;
        }
        return low;
    }
    // If clocks went back, a local hour occurs twice.
    while (start_of(number) > instant) --number;
    while (start_of(number + 1) <= instant) ++number;
    return number;
}

TimestampTz WindowGrid::due_to(TimestampTz now, const Interval &lag) const {
    const TimestampTz since = pg_call([&] {
        return DatumGetTimestampTz(
            DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(now), IntervalPGetDatum(&lag)));
    });
    return start_of(std::max<std::int64_t>(number_at(since), 0));
}

std::int64_t WindowGrid::count(Span span) const {
    if (span.end <= span.start) return 0;
    const std::int64_t first = number_at(span.start);
    const std::int64_t last = number_at(span.end - 1);
    if (microseconds_ == 0) return last - first + 1;
    // Windows of less than a day can be empty where clocks go forward. Between two changes of the clocks, the starts are one
    // size apart, and no window is empty.
    std::int64_t found = 0;
    for (std::int64_t number = first; number <= last;) {
        check_for_interrupts();
        const TimestampTz start = start_of(number);
        const std::optional<ClockChange> change = next_change(start, zone_);
        std::int64_t count = last - number + 1;
        if (change) count = std::min(count, (change->instant - start + microseconds_ - 1) / microseconds_);
        if (start_of(number + count - 1) != start + (count - 1) * microseconds_) count = 1;
        found += count > 1 || start < start_of(number + 1) ? count : 0;
        number += count;
    }
    return found;
}

std::vector<Span> WindowGrid::windows(Span span, std::size_t most) const {
    std::vector<Span> found;
    if (span.end <= span.start) return found;
    const std::int64_t last = number_at(span.end - 1);
    for (std::int64_t number = number_at(span.start); number <= last && found.size() < most; ++number) {
        check_for_interrupts();
        Span window = span_of(number);
        if (ids_ != 0) window = {std::max(window.start, span.start), std::min(window.end, span.end)};
        if (window.start < window.end) found.push_back(window);
    }
    return found;
}

} // namespace pgci
