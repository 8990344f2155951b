#include "template/column_window.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "server/sql_text.hpp"
#include "template/clock_change.hpp"

namespace pgci {

namespace {

[[noreturn]] void raise_window_out_of_range() {
    raise(sqlstate::datetime_overflow, "window is out of range in the time zone of the column",
          "Pass a window within the years of timestamp.");
}

struct LocalTime {
    struct pg_tm tm {};
    fsec_t fraction = 0;
};

// Returns the local time of the zone at an instant.
LocalTime clock_at(TimestampTz instant, const TimeZone &zone) {
    LocalTime local;
    int offset = 0;
    if (timestamp2tm(instant, &offset, &local.tm, &local.fraction, nullptr, zone.get()) != 0)
        raise_window_out_of_range();
    return local;
}

Timestamp to_timestamp(LocalTime local) {
    Timestamp timestamp = 0;
    if (tm2timestamp(&local.tm, local.fraction, nullptr, &timestamp) != 0) raise_window_out_of_range();
    return timestamp;
}

// Converts a local time as AT TIME ZONE does. A local time that occurs twice is the later one; one that is skipped uses
// the offset before the change.
TimestampTz to_instant(LocalTime local, const TimeZone &zone) {
    const int offset = DetermineTimeZoneOffset(&local.tm, zone.get());
    return to_timestamp(local) + std::int64_t{offset} * USECS_PER_SEC;
}

// Returns the first local time such that AT TIME ZONE converts it and all later ones to this instant or later.
Timestamp first_local_time(TimestampTz instant, const TimeZone &zone) {
    const LocalTime local = clock_at(instant, zone);
    // The local time occurs again later, and the conversion returns the later instant.
    if (to_instant(local, zone) > instant)
        if (const std::optional<ClockChange> change = next_change(instant, zone)) return change->resume;
    // Clocks go forward at this instant. A local time that they skip converts to a later instant.
    const std::optional<ClockChange> change = next_change(instant - USECS_PER_SEC, zone);
    if (change && change->instant == instant) return std::min(change->stop, change->resume);
    return to_timestamp(local);
}

std::string timestamp_text(Timestamp timestamp) {
    LocalTime local;
    if (timestamp2tm(timestamp, nullptr, &local.tm, &local.fraction, nullptr, nullptr) != 0)
        raise_window_out_of_range();
    char buffer[MAXDATELEN + 1];
    EncodeDateTime(&local.tm, local.fraction, false, 0, nullptr, USE_ISO_DATES, buffer);
    return buffer;
}

std::string date_text(TimestampTz instant, const Window &window, const TimeZone &zone, const std::string &what) {
    LocalTime local = clock_at(instant, zone);
    const DateADT day = date2j(local.tm.tm_year, local.tm.tm_mon, local.tm.tm_mday) - POSTGRES_EPOCH_JDATE;
    if (Window::of_day(day, zone).start() != instant)
        raise(sqlstate::invalid_parameter,
              "window " + window.name() + " does not begin and end at midnight in time zone " + zone.name(),
              "Pass a day, or a range of whole days in this time zone; or use a column that has the time of day.",
              what + " is a date.");
    char buffer[MAXDATELEN + 1];
    EncodeDateOnly(&local.tm, USE_ISO_DATES, buffer);
    return buffer;
}

const char *type_name(Oid type) {
    switch (type) {
    case TIMESTAMPTZOID:
        return "::pg_catalog.timestamptz";
    case TIMESTAMPOID:
        return "::pg_catalog.timestamp";
    case INT8OID:
        return "::pg_catalog.int8";
    default:
        return "::pg_catalog.date";
    }
}

} // namespace

std::string ColumnWindow::condition(const std::string &column, const std::string &start_sql,
                                    const std::string &end_sql) const {
    const std::string cast = type_name(type);
    return column + " OPERATOR(pg_catalog.>=) " + start_sql + cast + " AND " + column + " OPERATOR(pg_catalog.<) " +
           end_sql + cast;
}

std::string ColumnWindow::condition(const std::string &column) const {
    return condition(column, quote_literal(start), quote_literal(end));
}

bool has_day(Oid type) { return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID; }

bool has_ids(Oid type) { return type == INT2OID || type == INT4OID || type == INT8OID; }

bool fits_column(const Window &window, Oid type) { return window.is_of_ids() ? has_ids(type) : has_day(type); }

ColumnWindow window_of_column(const Window &window, Oid type, const TimeZone &zone, const std::string &column) {
    return window_in_type(window, type, zone, "window_column \"" + shorten(column) + "\"");
}

ColumnWindow window_in_type(const Window &window, Oid type, const TimeZone &zone, const std::string &what) {
    if (window.is_of_ids()) return {INT8OID, window.text().start, window.text().end};
    switch (type) {
    case TIMESTAMPTZOID:
        return {type, window.text().start, window.text().end};
    case TIMESTAMPOID:
        return {type, timestamp_text(first_local_time(window.start(), zone)),
                timestamp_text(first_local_time(window.end(), zone))};
    default:
        return {type, date_text(window.start(), window, zone, what), date_text(window.end(), window, zone, what)};
    }
}

bool has_repeated_bound(const Window &window, const TimeZone &zone) {
    const auto is_repeated = [&](TimestampTz instant) {
        const LocalTime local = clock_at(instant, zone);
        if (first_instant(to_timestamp(local), zone) == to_instant(local, zone)) return false;
        const DateADT day = date2j(local.tm.tm_year, local.tm.tm_mon, local.tm.tm_mday) - POSTGRES_EPOCH_JDATE;
        return Window::of_day(day, zone).start() != instant;
    };
    return is_repeated(window.start()) || is_repeated(window.end());
}

} // namespace pgci
