#include "template/day_range.hpp"

#include "server/guard.hpp"

namespace pgci {

DayRange::DayRange(DateADT first, DateADT last) : first_(first), size_(0) {
    constexpr std::int64_t most_days = 100000;
    if (DATE_NOT_FINITE(first) || DATE_NOT_FINITE(last))
        raise(sqlstate::datetime_overflow, "first_day and last_day must be finite dates", "Both days are included.");
    const std::int64_t size = std::int64_t{last} - first + 1;
    if (size < 1) raise(sqlstate::invalid_parameter, "last_day is before first_day", "Both days are included.");
    if (size > most_days)
        raise(sqlstate::invalid_parameter,
              "from first_day to last_day there are " + std::to_string(size) + " days, more than " +
                  std::to_string(most_days),
              "Use several calls.");
    size_ = static_cast<std::size_t>(size);
}

std::vector<Window> DayRange::windows(const TimeZone &zone) const {
    std::vector<Window> windows;
    windows.reserve(size_);
    for (std::size_t i = 0; i < size_; ++i) windows.push_back(Window::of_day(day(i), zone));
    return windows;
}

} // namespace pgci
