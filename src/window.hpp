// A day in a time zone as a half-open window of time.
#pragma once

#include "pg.hpp"
#include "placeholders.hpp"

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

// One calendar day: from its first instant in the zone to the next day's first instant, exclusive.
class Window {
  public:
    // Raises 22008 for infinity, for years before Christ and for days beyond timestamptz.
    static Window of_day(DateADT day, const TimeZone &zone);

    TimestampTz start() const { return start_; }
    TimestampTz end() const { return end_; }
    const WindowText &text() const { return text_; }

  private:
    TimestampTz start_ = 0;
    TimestampTz end_ = 0;
    WindowText text_;
};

} // namespace pgci
