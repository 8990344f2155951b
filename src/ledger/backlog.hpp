// What a job has still to load.
#pragma once

#include <optional>
#include <vector>

#include "ledger/jobs.hpp"

namespace pgci {

struct Backlog {
    TimestampTz due_to = 0;           // the end of the last window that is due
    std::int64_t missing_windows = 0; // due, and not loaded whole
    std::optional<TimeSpan> oldest{}; // of them
    // From the start of the oldest missing window to due_to, in microseconds; 0 where none is missing.
    std::int64_t behind() const { return oldest ? due_to - oldest->start : 0; }
};

// What is missing at `now`, by the arithmetic of the grid alone. `covered` is ordered and disjoint.
Backlog find_backlog(const WindowGrid &grid, const Interval &lag, TimestampTz now,
                     const std::vector<TimeSpan> &covered);
// The same of a job at this moment.
Backlog find_backlog(const Job &job, const std::vector<TimeSpan> &covered);

} // namespace pgci
