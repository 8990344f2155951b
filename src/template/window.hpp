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

class Window {
  public:
    // One calendar day: from its first instant in the zone to the next day's first instant, exclusive.
    // Raises 22008 for infinity, for years before Christ and for days beyond timestamptz.
    static Window of_day(DateADT day, const TimeZone &zone);

    // A half-open range [start, end). Raises 22023 for one that is empty, unbounded, or of other bounds, 22008
    // for years before Christ.
    static Window of_range(const RangeType *range, const TimeZone &zone);

    // The same window, begun so many calendar days earlier. It is no day any more.
    Window grown_back(int days, const TimeZone &zone) const;

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
