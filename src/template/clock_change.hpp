// When the clocks of a time zone change.
#pragma once

#include <optional>

#include "template/window.hpp"

namespace pgci {

// A change of a zone's offset: when it occurs, and the local times before and after it. They are equal if only the zone's
// abbreviation changes.
struct ClockChange {
    TimestampTz instant;
    Timestamp stop;
    Timestamp resume;
};

// Returns the next change after an instant, if there is one.
std::optional<ClockChange> next_change(TimestampTz instant, const TimeZone &zone);

} // namespace pgci
