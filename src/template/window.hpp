// A half-open window of time: a day in a time zone, or any range.
#pragma once

#include <vector>

#include "server/pg.hpp"
#include "template/placeholders.hpp"

namespace pgci {

// A time zone of PostgreSQL's database, by a name that the source understands too.
class TimeZone {
  public:
    // The zone called `name`, or the session's TimeZone for a null pointer. Raises 22023 for an unknown name.
    static TimeZone resolve(const char *name);

    const char *name() const;
    pg_tz *get() const { return zone_; }

  private:
    explicit TimeZone(pg_tz *zone) : zone_(zone) {}
    pg_tz *zone_;
};

// From its start, which is part of it, to its end, which is not.
struct TimeSpan {
    TimestampTz start = 0;
    TimestampTz end = 0;

    bool operator==(const TimeSpan &) const = default;
};

// The first instant at which the clocks of the zone show a local time, in microseconds since 2000-01-01 00:00. Where clocks go
// forward over it, that is the moment at which they do. Raises 22008 for what timestamptz does not hold.
TimestampTz first_instant(std::int64_t local_time, const TimeZone &zone);

// What the clocks of the zone show at an instant. Raises 22008 for what timestamptz does not hold.
std::int64_t local_time(TimestampTz instant, const TimeZone &zone);

// A value of tstzrange. Raises 22023 unless it is half-open with two finite bounds.
TimeSpan read_span(const RangeType *range);

class Window {
  public:
    // One calendar day: from its first instant in the zone to the next day's first instant, exclusive.
    // Raises 22008 for infinity, for years before Christ and for days beyond timestamptz.
    static Window of_day(DateADT day, const TimeZone &zone);

    // Any span; one that is a calendar day of the zone is the window of that day. Raises 22008 for years before Christ.
    static Window of_span(TimeSpan span, const TimeZone &zone);

    // The same window, begun so many calendar days earlier. It is no day any more.
    Window grown_back(int days, const TimeZone &zone) const;

    TimeSpan span() const { return {start_, end_}; }
    TimestampTz start() const { return start_; }
    TimestampTz end() const { return end_; }
    const WindowText &text() const { return text_; }
    // For messages: the date of a day, [start, end) of a range.
    const std::string &name() const { return name_; }

  private:
    TimestampTz start_ = 0;
    TimestampTz end_ = 0;
    WindowText text_;
    std::string name_;
};

// The days of a backfill, from the first to the last one, both included.
class DayRange {
  public:
    // Raises 22023 when the last day is before the first or there are more than a hundred thousand, 22008 for a day that
    // is no window (infinity, before Christ).
    DayRange(DateADT first, DateADT last);

    DateADT day(std::size_t place) const { return first_ + static_cast<DateADT>(place); }
    std::size_t size() const { return size_; }
    // The windows of all the days, in their order.
    std::vector<Window> windows(const TimeZone &zone) const;

  private:
    DateADT first_;
    std::size_t size_;
};

} // namespace pgci
