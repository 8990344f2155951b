// The windows of a job that are known to be loaded whole.
#pragma once

#include <vector>

#include "template/window_grid.hpp"
#include "ledger/window_columns.hpp"

namespace pgci {

// A job's coverage is the union of its rows in the table. A run adds a row, and unites it with those that no other run is
// uniting at the moment, so that runs of different windows do not wait for each other.
class Coverage {
  public:
    // `schema` is the extension's; `kind` is that of the job's windows.
    Coverage(Oid schema, WindowKind kind) : table_(schema, "pgci_coverage"), kind_(kind) {}

    void add(std::int64_t job_id, Span span) const;
    // Of what others have committed until now, too; ordered, disjoint, and not adjacent.
    std::vector<Span> find(std::int64_t job_id) const;
    // No bound is no limit.
    void remove(std::int64_t job_id, std::optional<std::int64_t> start, std::optional<std::int64_t> end) const;
    void drop(std::int64_t job_id) const;

  private:
    OwnTable table_;
    WindowKind kind_;
};

// The parts of `span` that `covered` does not have. `covered` is ordered and disjoint.
std::vector<Span> uncovered(Span span, const std::vector<Span> &covered);

// The windows that have such a part, in their order; no more than the first `most`.
std::vector<Span> uncovered_windows(const WindowGrid &grid, Span span, const std::vector<Span> &covered,
                                    std::size_t most);

} // namespace pgci
