// The windows of a job that are known to be loaded whole.
#pragma once

#include <vector>

#include "template/window_grid.hpp"
#include "ledger/owner_statement.hpp"

namespace pgci {

// A job's coverage is the union of its rows in the table. A run adds a row, and unites it with those that no other run is
// uniting at the moment, so that runs of different windows do not wait for each other.
class Coverage {
  public:
    // `schema` is the extension's.
    explicit Coverage(Oid schema) : table_(schema, "pgci_coverage") {}

    void add(std::int64_t job_id, TimeSpan span) const;
    // Of what others have committed until now, too; ordered, disjoint, and not adjacent. An infinite bound is that of timestamptz.
    std::vector<TimeSpan> find(std::int64_t job_id) const;
    // No bound is no limit.
    void remove(std::int64_t job_id, std::optional<TimestampTz> start, std::optional<TimestampTz> end) const;
    void drop(std::int64_t job_id) const;

  private:
    OwnTable table_;
};

// The parts of `span` that `covered` does not have. `covered` is ordered and disjoint.
std::vector<TimeSpan> uncovered(TimeSpan span, const std::vector<TimeSpan> &covered);

// The windows that have such a part, in their order; no more than the first `most`.
std::vector<TimeSpan> uncovered_windows(const WindowGrid &grid, TimeSpan span, const std::vector<TimeSpan> &covered,
                                        std::size_t most);

} // namespace pgci
