// The window of a run in the terms of a column: as instants, local times or dates.
#pragma once

#include <optional>
#include <string>

#include "template/window.hpp"

namespace pgci {

// What a column of a type with a day must hold for a row to be in a window.
struct ColumnWindow {
    Oid type = InvalidOid; // timestamptz, timestamp or date
    std::string start{};   // values of that type in ISO form
    std::string end{};     // exclusive

    bool operator==(const ColumnWindow &) const = default;

    // The condition on a column, which is SQL as are the two bounds: parameters, or constants.
    std::string condition(const std::string &column, const std::string &start_sql, const std::string &end_sql) const;
    // The same with the bounds as constants.
    std::string condition(const std::string &column) const;
};

// Does a column of the type have a day? Domains are not looked through.
bool has_day(Oid type);

// The window for a column of such a type. A column without a time zone holds the local time of `zone`, and a row is in the
// window if the conversion of that local time by AT TIME ZONE is. Raises 22023 for a date column if the window does not
// begin and end with a day of the zone. Messages call the column `column`.
ColumnWindow window_of_column(const Window &window, Oid type, const TimeZone &zone, const std::string &column);

} // namespace pgci
