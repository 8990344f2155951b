#include "template/window.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"

namespace pgci {

TimeZone TimeZone::resolve(const char *name) {
    if (name == nullptr) return TimeZone(session_timezone);
    pg_tz *const zone = pg_call([&] { return pg_tzset(name); });
    if (zone == nullptr || !pg_tz_acceptable(zone))
        raise(sqlstate::invalid_parameter, "time zone \"" + shorten(name) + "\" not recognized",
              "Use a name out of the view pg_timezone_names, such as UTC or America/New_York.");
    return TimeZone(zone);
}

const char *TimeZone::name() const { return pg_get_timezone_name(zone_); }

namespace {

// The first day that the calendar counts as AD.
DateADT day_one() { return date2j(1, 1, 1) - POSTGRES_EPOCH_JDATE; }

[[noreturn]] void raise_day_out_of_range() {
    raise(sqlstate::datetime_overflow, "day is out of range",
          "Pass a day from 0001-01-01 to the last one that timestamptz holds, in the year 294276.");
}

// Returns local midnight.
std::int64_t midnight(DateADT day) { return static_cast<std::int64_t>(day) * USECS_PER_DAY; }

} // namespace

// A local time that clocks skip has the instant of the change. One that occurs twice has the first of its instants.
TimestampTz first_instant(std::int64_t local, const TimeZone &zone) {
    constexpr std::int64_t epoch_shift = std::int64_t{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * SECS_PER_DAY;
    // Search for a change of the offset from one day before. No zone has had two changes within two days.
    const pg_time_t before = local / USECS_PER_SEC + epoch_shift - SECS_PER_DAY;
    long offset_before = 0;
    long offset_after = 0;
    int is_dst_before = 0;
    int is_dst_after = 0;
    pg_time_t boundary = 0;
    const int found = pg_next_dst_boundary(&before, &offset_before, &is_dst_before, &boundary, &offset_after,
                                           &is_dst_after, zone.get());
    if (found < 0) raise_day_out_of_range();
    const TimestampTz with_before = local - offset_before * USECS_PER_SEC;
    if (found == 0) return with_before;
    const TimestampTz transition = (boundary - epoch_shift) * USECS_PER_SEC;
    if (with_before < transition) return with_before;
    const TimestampTz with_after = local - offset_after * USECS_PER_SEC;
    return std::max(with_after, transition);
}

std::int64_t local_time(TimestampTz instant, const TimeZone &zone) {
    struct pg_tm tm {};
    fsec_t fraction = 0;
    int offset = 0;
    Timestamp local = 0;
    if (timestamp2tm(instant, &offset, &tm, &fraction, nullptr, zone.get()) != 0 ||
        tm2timestamp(&tm, fraction, nullptr, &local) != 0)
        raise_day_out_of_range();
    return local;
}

namespace {

std::string date_text(DateADT day) {
    struct pg_tm tm {};
    j2date(day + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
    char buffer[MAXDATELEN + 1];
    EncodeDateOnly(&tm, USE_ISO_DATES, buffer);
    return buffer;
}

// Local time with the offset: input as date, timestamp and timestamptz reads it correctly.
std::string timestamp_text(TimestampTz instant, const TimeZone &zone) {
    struct pg_tm tm {};
    fsec_t fraction = 0;
    int offset = 0;
    const char *abbreviation = nullptr;
    if (timestamp2tm(instant, &offset, &tm, &fraction, &abbreviation, zone.get()) != 0) raise_day_out_of_range();
    char buffer[MAXDATELEN + 1];
    EncodeDateTime(&tm, fraction, true, offset, abbreviation, USE_ISO_DATES, buffer);
    return buffer;
}

} // namespace

Window Window::of_day(DateADT day, const TimeZone &zone) {
    if (DATE_NOT_FINITE(day))
        raise(sqlstate::datetime_overflow, "day must be a finite date",
              "Pass one day. If days are bounds, NULL means no bound.");
    // One day less than the limit of timestamptz, because the start of the next day is computed too, in any zone.
    const DateADT last = date2j(294276, 12, 29) - POSTGRES_EPOCH_JDATE;
    if (day < day_one())
        raise(sqlstate::datetime_overflow, "day must not be in a year BC", "Pass a day from 0001-01-01 on.");
    if (day > last) raise_day_out_of_range();
    Window window;
    window.start_ = first_instant(midnight(day), zone);
    window.end_ = first_instant(midnight(day + 1), zone);
    window.text_ = WindowText{.day = date_text(day),
                              .next_day = date_text(day + 1),
                              .start = timestamp_text(window.start_, zone),
                              .end = timestamp_text(window.end_, zone)};
    window.name_ = window.text_.day;
    return window;
}

// Returns the same time of day some calendar days earlier. If it does not exist there, returns the end of the gap.
static TimestampTz days_before(TimestampTz instant, int days, const TimeZone &zone) {
    struct pg_tm tm {};
    fsec_t fraction = 0;
    int offset = 0;
    if (timestamp2tm(instant, &offset, &tm, &fraction, nullptr, zone.get()) != 0) raise_day_out_of_range();
    const int day = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - days;
    if (tm.tm_hour == 0 && tm.tm_min == 0 && tm.tm_sec == 0 && fraction == 0)
        return first_instant(midnight(day - POSTGRES_EPOCH_JDATE), zone);
    j2date(day, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
    offset = DetermineTimeZoneOffset(&tm, zone.get());
    TimestampTz result = 0;
    if (tm2timestamp(&tm, fraction, &offset, &result) != 0) raise_day_out_of_range();
    return result;
}

Window Window::grown_back(int days, const TimeZone &zone) const {
    Window window;
    window.start_ = days_before(start_, days, zone);
    window.end_ = end_;
    if (window.start_ < first_instant(midnight(day_one()), zone))
        raise(sqlstate::datetime_overflow, "lookback must not begin in a year BC", "Pass a smaller lookback.");
    window.text_.start = timestamp_text(window.start_, zone);
    window.text_.end = text_.end;
    window.name_ = "[" + window.text_.start + ", " + window.text_.end + ")";
    return window;
}

namespace {

struct RangeBounds {
    RangeBound lower{};
    RangeBound upper{};
    bool is_empty = false;
};

RangeBounds bounds_of(const RangeType *range) {
    return pg_call([=] {
        RangeBounds bounds;
        TypeCacheEntry *const type = lookup_type_cache(range->rangetypid, TYPECACHE_RANGE_INFO);
        range_deserialize(type, range, &bounds.lower, &bounds.upper, &bounds.is_empty);
        return bounds;
    });
}

} // namespace

Span read_span(const RangeType *range) {
    const auto [lower, upper, is_empty] = bounds_of(range);
    const auto refuse = [](const char *message) {
        raise(sqlstate::invalid_parameter, message,
              "Pass a half-open range such as tstzrange('2018-07-29 10:00', '2018-07-29 11:00').");
    };
    if (is_empty) refuse("data_interval must not be empty");
    const Span span{DatumGetTimestampTz(lower.val), DatumGetTimestampTz(upper.val)};
    if (lower.infinite || upper.infinite || TIMESTAMP_NOT_FINITE(span.start) || TIMESTAMP_NOT_FINITE(span.end))
        refuse("data_interval must have a start and an end");
    if (!lower.inclusive || upper.inclusive) refuse("data_interval must include its start and exclude its end");
    return span;
}

// PostgreSQL has made the range half-open.
Span read_ids(const RangeType *range) {
    const auto [lower, upper, is_empty] = bounds_of(range);
    if (is_empty || lower.infinite || upper.infinite)
        raise(sqlstate::invalid_parameter, is_empty ? "ids must not be empty" : "ids must have a start and an end",
              "Pass a range such as int8range(1, 1001), which has the ids from 1 to 1000.");
    return {DatumGetInt64(lower.val), DatumGetInt64(upper.val)};
}

// Returns the calendar day of the zone that the span covers exactly, if any.
static std::optional<DateADT> day_of(Span span, const TimeZone &zone) {
    constexpr std::int64_t longest_day = 2 * USECS_PER_DAY;
    if (span.end - span.start > longest_day) return std::nullopt;
    // Noon is in the day, even if its start is moved by a change of the clocks.
    const std::int64_t noon = local_time(span.start + USECS_PER_DAY / 2, zone);
    const std::int64_t day = noon / USECS_PER_DAY - (noon % USECS_PER_DAY < 0 ? 1 : 0);
    const bool is_day = first_instant(day * USECS_PER_DAY, zone) == span.start &&
                        first_instant((day + 1) * USECS_PER_DAY, zone) == span.end;
    return is_day ? std::optional(static_cast<DateADT>(day)) : std::nullopt;
}

Window Window::of_span(Span span, const TimeZone &zone) {
    if (span.start < first_instant(midnight(day_one()), zone))
        raise(sqlstate::datetime_overflow, "data_interval must not begin in a year BC",
              "Pass a range from 0001-01-01 on.");
    if (const std::optional<DateADT> day = day_of(span, zone)) return of_day(*day, zone);
    Window window;
    window.start_ = span.start;
    window.end_ = span.end;
    window.text_.start = timestamp_text(window.start_, zone);
    window.text_.end = timestamp_text(window.end_, zone);
    window.name_ = "[" + window.text_.start + ", " + window.text_.end + ")";
    return window;
}

Window Window::of_ids(Span ids) {
    Window window;
    window.kind_ = WindowKind::ids;
    window.start_ = ids.start;
    window.end_ = ids.end;
    window.text_.start = std::to_string(ids.start);
    window.text_.end = std::to_string(ids.end);
    window.name_ = "[" + window.text_.start + ", " + window.text_.end + ")";
    return window;
}

DayRange::DayRange(DateADT first, DateADT last) : first_(first) {
    constexpr std::int64_t most_days = 100000;
    if (DATE_NOT_FINITE(first) || DATE_NOT_FINITE(last))
        raise(sqlstate::datetime_overflow, "first_day and last_day must be finite dates", "Both days are included.");
    const std::int64_t size = std::int64_t{last} - first + 1;
    if (size < 1)
        raise(sqlstate::invalid_parameter, "last_day is before first_day",
              "Pass the earlier day first; both days are included.");
    if (size > most_days)
        raise(sqlstate::invalid_parameter,
              "the range from first_day to last_day has " + std::to_string(size) + " days, more than " +
                  std::to_string(most_days),
              "Use several calls.");
    size_ = static_cast<std::size_t>(size);
}

} // namespace pgci
