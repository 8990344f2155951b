// The window of a run as a condition on a column: instants, local times, dates or ids.
#pragma once

#include <optional>
#include <string>

#include "template/window.hpp"

namespace pgci {

// The range of values that a column of type date, timestamp, timestamptz or of integers has for the rows of a window.
struct ColumnWindow {
    Oid type = InvalidOid; // timestamptz, timestamp or date; bigint for all integers, because the end may exceed them
    std::string start{};   // values of that type, in ISO format
    std::string end{};     // exclusive

    bool operator==(const ColumnWindow &) const = default;

    // Returns the condition on a column. The column and the bounds are SQL: parameters or constants.
    std::string condition(const std::string &column, const std::string &start_sql, const std::string &end_sql) const;
    // The same with the bounds as constants.
    std::string condition(const std::string &column) const;
};

// Return whether a window of time, or of ids, can be a condition on a column of this type. Return false for domains.
bool has_day(Oid type);
bool has_ids(Oid type);
bool fits_column(const Window &window, Oid type);

// Returns the window for a column of such a type. A column without a time zone contains local times of `zone`, and a
// row is in the window if its local time, converted by AT TIME ZONE, is. Raises 22023 for a date column if the window
// does not start and end at the start of a day of the zone. `column` is the name in messages.
ColumnWindow window_of_column(const Window &window, Oid type, const TimeZone &zone, const std::string &column);
// The same for any value of the type; `what` is its name in messages.
ColumnWindow window_in_type(const Window &window, Oid type, const TimeZone &zone, const std::string &what);

// Returns whether the start or the end of the window is a local time of the zone that occurs twice. The first instant of
// a day does not count: no other window of days has the same local time.
bool has_repeated_bound(const Window &window, const TimeZone &zone);

} // namespace pgci
