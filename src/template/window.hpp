// A half-open window: of time, a day in a time zone or a range, or of ids.
#pragma once

#include <vector>

#include "server/pg.hpp"
#include "template/placeholders.hpp"

namespace pgci {

// A time zone of PostgreSQL's database, with a name that the source knows too.
class TimeZone {
  public:
    // Returns the zone `name`, or the session's TimeZone for a null pointer. Raises 22023 for an unknown name.
    static TimeZone resolve(const char *name);

    const char *name() const;
    pg_tz *get() const { return zone_; }

  private:
    explicit TimeZone(pg_tz *zone) : zone_(zone) {}
    pg_tz *zone_;
};

// What the values of a window's column are: moments, or ids.
enum class WindowKind : char { time, ids };

// The bounds of a window, of its kind: microseconds as in timestamptz, or ids. Start inclusive, end exclusive.
struct Span {
    std::int64_t start = 0;
    std::int64_t end = 0;

    bool operator==(const Span &) const = default;
};

// No bound, of both kinds.
constexpr std::int64_t no_start = DT_NOBEGIN;
constexpr std::int64_t no_end = DT_NOEND;

// Returns the first instant at which the clocks of the zone show a local time, which is in microseconds since
// 2000-01-01 00:00. For a local time that is skipped, returns the instant of the change. Raises 22008 if timestamptz
// cannot represent it.
TimestampTz first_instant(std::int64_t local_time, const TimeZone &zone);

// Returns the local time of the zone at an instant. Raises 22008 if timestamp cannot represent it.
std::int64_t local_time(TimestampTz instant, const TimeZone &zone);

// Returns a value of tstzrange. Raises 22023 unless it is half-open with two finite bounds.
Span read_span(const RangeType *range);
// Returns a value of int8range. Raises 22023 unless it has an id and two bounds.
Span read_ids(const RangeType *range);

class Window {
  public:
    // A calendar day: from its first instant in the zone to the first instant of the next day, exclusive. Raises 22008
    // for infinity, years BC and days outside the range of timestamptz.
    static Window of_day(DateADT day, const TimeZone &zone);

    // A span. If it is a calendar day of the zone, the window is that of the day. Raises 22008 for years BC.
    static Window of_span(Span span, const TimeZone &zone);

    static Window of_ids(Span ids);
    // Of a span of this kind; ids have no zone.
    static Window of(WindowKind kind, Span span, const TimeZone &zone) {
        return kind == WindowKind::ids ? of_ids(span) : of_span(span, zone);
    }

    // Returns the window with its start some calendar days earlier. The result is not a day.
    Window grown_back(int days, const TimeZone &zone) const;

    WindowKind kind() const { return kind_; }
    bool is_of_ids() const { return kind_ == WindowKind::ids; }
    Span span() const { return {start_, end_}; }
    std::int64_t start() const { return start_; }
    std::int64_t end() const { return end_; }
    const WindowText &text() const { return text_; }
    // The name in messages: the date of a day, or [start, end) of a range.
    const std::string &name() const { return name_; }

  private:
    WindowKind kind_ = WindowKind::time;
    std::int64_t start_ = 0;
    std::int64_t end_ = 0;
    WindowText text_;
    std::string name_;
};

// The days of a backfill, from the first to the last, inclusive.
class DayRange {
  public:
    // Raises 22023 if the last day is before the first or there are more than 100,000 days, 22008 for a day that cannot
    // be a window (infinity, BC).
    DayRange(DateADT first, DateADT last);

    DateADT day(std::size_t place) const { return first_ + static_cast<DateADT>(place); }
    std::size_t size() const { return size_; }

  private:
    DateADT first_ = 0;
    std::size_t size_ = 0;
};

} // namespace pgci
