// The windows that a job has yet to load.
#pragma once

#include <optional>
#include <vector>

#include "ledger/jobs.hpp"

namespace pgci {

struct Backlog {
    TimestampTz due_to = 0;           // the end of the last window that is due
    std::int64_t missing_windows = 0; // due, and not completely loaded
    std::optional<Span> oldest{};     // the oldest missing window
    // From the start of the oldest missing window to due_to, in microseconds; 0 if none is missing.
    std::int64_t behind() const { return oldest ? due_to - oldest->start : 0; }
};

// Computes what is missing at `now`, without reading a table. `covered` is ordered and its spans do not overlap.
Backlog find_backlog(const WindowGrid &grid, const Interval &lag, TimestampTz now, const std::vector<Span> &covered);
// The same for a job at the current time.
Backlog find_backlog(const Job &job, const std::vector<Span> &covered);

} // namespace pgci
