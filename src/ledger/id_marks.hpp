// How far the ids of a job's source are settled. A mark is the highest id at a moment, and the transactions at the source that have
// to end until no smaller id can be committed. Long transactions hold back the marks that were made since they began, no others.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "ledger/jobs.hpp"

namespace pgci {

struct IdMark {
    std::int64_t highest = 0;
    TimestampTz read_at = 0;         // by the clock of this server
    std::set<std::string> awaited{}; // as source/open_transactions names them
    bool is_settled() const { return awaited.empty(); }
    bool operator==(const IdMark &) const = default;
};

class IdMarks {
  public:
    // `schema` is the extension's.
    explicit IdMarks(Oid schema) : table_(schema, "pgci_id_marks") {}

    // Of what others have committed until now, too; in the order of the ids. `place` is that of the source: a job may have been
    // led to another one.
    std::vector<IdMark> find(std::int64_t job_id, const std::string &place) const;
    // Of any source.
    std::vector<IdMark> find(std::int64_t job_id) const;
    void store(std::int64_t job_id, const std::string &place, const std::vector<IdMark> &marks) const;
    void drop(std::int64_t job_id) const;
    // Whether a mark shows that no row with an id below `end` can be committed from now on.
    bool has_settled(std::int64_t job_id, const std::string &place, std::int64_t end) const;
    // Whether the source has had such an id.
    bool has_seen(std::int64_t job_id, const std::string &place, std::int64_t end) const;

  private:
    std::vector<IdMark> find_where(const std::string &condition, const std::vector<Parameter> &parameters) const;

    OwnTable table_;
};

// The ids of the job that its source has had, as far as they were seen: from its first id on, to the last mark.
Span seen_ids(const Job &job, const std::vector<Span> &covered, const std::vector<IdMark> &marks);

// Removes the marks below the last one that is settled and was read `lag` before now, or, if `settle` does not look, only this; and
// some of the others if there are many. Returns the highest id of that mark, below which everything may be loaded.
std::optional<std::int64_t> take_settled(std::vector<IdMark> &marks, const Interval &lag, Settle settle);

} // namespace pgci
