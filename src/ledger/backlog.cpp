#include "ledger/backlog.hpp"

#include "server/guard.hpp"
#include "ledger/coverage.hpp"

namespace pgci {

Backlog find_backlog(const WindowGrid &grid, const Interval &lag, TimestampTz now, const std::vector<Span> &covered) {
    Backlog backlog{.due_to = grid.due_to(now, lag)};
    TimestampTz counted = grid.start_of(0); // everything before this is counted; the end of a window
    for (Span gap : uncovered({counted, backlog.due_to}, covered)) {
        check_for_interrupts();
        // Two gaps may be in one window.
        gap.start = std::max(gap.start, counted);
        if (gap.start >= gap.end) continue;
        backlog.missing_windows += grid.count(gap);
        if (!backlog.oldest) backlog.oldest = grid.span_of(grid.number_at(gap.start));
        counted = grid.span_of(grid.number_at(gap.end - 1)).end;
    }
    return backlog;
}

Backlog find_backlog(const Job &job, const std::vector<Span> &covered) {
    return find_backlog(job.grid(), job.lag, GetCurrentTimestamp(), covered);
}

} // namespace pgci
