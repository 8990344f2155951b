// The rows of a window in the target, by the target column named in window_column.
#pragma once

#include <string>

#include "template/window.hpp"
#include "source/source_session.hpp"
#include "target/target.hpp"

namespace pgci {

// The time zones of a run: one for converting values, and one for local times in the window column.
struct WindowZones {
    const TimeZone &day;
    const TimeZone &column;
};

// Returns the condition for these rows. Raises 42703 if the target does not have the column, 42804 if its type has no
// day; the hint is to pass replace_where.
std::string slice_of_window(const Target &target, const Window &window, const std::string &column,
                            const WindowZones &zones);

// Raises 42804 if storing the column would change its instants: local times of one zone that become instants by another
// zone, or the reverse.
void check_keeps_moments(const Target &target, const SourceColumn &column, const WindowZones &zones);

} // namespace pgci
