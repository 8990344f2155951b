// The ids at the source: the values of a window column that is an integer, where they come from, and who may still commit some.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "source/source_session.hpp"

namespace pgci {

// The ids of the rows, and what the sequence has given: nothing if the role may not see it, one less than all ids if it has given
// none.
struct IdExtent {
    std::int64_t lowest = 0;
    std::int64_t highest = 0;
    std::optional<std::int64_t> last_given{};
    // Higher ids may still be given, although a row has one: somebody has chosen it.
    std::int64_t highest_given() const { return std::min(highest, last_given.value_or(highest)); }
};

// The sequence that gives the ids.
struct IdSequence {
    std::string name; // schema.relation
    Oid oid = InvalidOid;
    std::int64_t cache = 1;
    bool shows_last_value = false; // to this role
};

// A row that is not visible has an id that the sequence had given when it was looked at only if its transaction was open then: later
// transactions get higher ids. That is so if one sequence gives all ids in ascending order, and, if it has a CACHE, no session has
// taken ids in advance.
class SourceIds {
  public:
    // `query` is without a window, and `column` the one of its result that has the ids. Asks the source's catalogs about the
    // column. Raises 0A000 if its sequence descends.
    SourceIds(SourceSession &source, const TimeZone &zone, const SourceQuery &query, const SourceColumn &column);

    // The lowest and the highest id in the snapshot of the transaction; nothing if there is no row.
    std::optional<IdExtent> extent();
    // The transactions that are open now and may have taken an id, also those that have not written; with a CACHE, the sessions too.
    // To be called after extent(): a transaction that begins later takes a higher id.
    std::set<std::string> open_transactions();

    // Why it cannot be known which ids are still to come; empty if it can.
    const std::string &doubt() const { return doubt_; }
    const std::optional<IdSequence> &sequence() const { return sequence_; }
    SourceSession &source() { return source_; }
    const TimeZone &zone() const { return zone_; }

    // Raises PI003 if the ids have begun again since this one was seen. `extent` is what extent() returned. `is_given`: the sequence
    // had given the id, so it is enough that it is back; else the rows must be, too.
    void check_not_restarted(const std::optional<IdExtent> &extent, std::int64_t seen, bool is_given,
                             const std::string &job) const;

  private:
    SourceSession &source_;
    const TimeZone &zone_;
    const SourceQuery &query_;
    std::string column_;
    std::optional<IdSequence> sequence_{};
    std::string doubt_{};
};

} // namespace pgci
