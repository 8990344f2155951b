// The rows of a window in the target, by the target's column of the name that window_column has.
#pragma once

#include <string>

#include "template/window.hpp"
#include "source/source_session.hpp"
#include "target/target.hpp"

namespace pgci {

// The time zones of a run: that of the day, in which values are converted, and that of the local times in the window's column.
struct WindowZones {
    const TimeZone &day;
    const TimeZone &column;
};

// The condition of these rows in the target. Raises 42703 for a target without the column and 42804 for a type without a
// day, with the hint to pass replace_where.
std::string slice_of_window(const Target &target, const Window &window, const std::string &column,
                            const WindowZones &zones);

// Raises 42804 where storing the column's values would move them to other moments: local times of one zone, taken for those
// of another when they become instants, or the other way round.
void check_keeps_moments(const Target &target, const SourceColumn &column, const WindowZones &zones);

} // namespace pgci
