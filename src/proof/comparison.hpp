// Compares the rows of a window on both servers by checksums that do not depend on the order. Each server computes its
// own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "server/text_rows.hpp"
#include "connection/question.hpp"
#include "source/source_session.hpp"
#include "proof/hashed_query.hpp"
#include "proof/hashed_rows.hpp"
#include "proof/target_selection.hpp"

namespace pgci {

// The checksum of a set of rows: their number and the sum of their 64-bit hashes.
struct Checksum {
    std::string rows;
    std::string sum;

    bool operator==(const Checksum &) const = default;
};

// The sides that have a row.
enum class Found { on_both_sides, only_at_source, only_at_target };

class Comparison {
  public:
    // `target_rows` are the rows of `target` to compare. `key` are the columns that identify a row; empty for all
    // columns.
    Comparison(SourceSession &source, const SourceQuery &query, std::vector<ComparedColumn> columns,
               TargetSelection target_rows, const Target &target, const std::vector<std::string> &key,
               const TimeZone &zone);

    Checksum source_checksum();
    // Sees the changes of this transaction.
    Checksum target_checksum();

    // A value from each server. The servers work at the same time.
    template <class T> struct Sides {
        T source;
        T target;
    };
    Sides<Checksum> checksums();
    // The rows are divided into buckets by their key. These are the checksums of the buckets that have rows.
    using Buckets = std::vector<std::pair<int, Checksum>>;
    Sides<Buckets> buckets();
    // Passes the rows in these buckets to the sink, rows with the same hash of the key together, and a row that both
    // sides have once. Both servers sort the rows, so this process keeps only a few of them. `source_rows` is the number
    // of rows that the source has counted in these buckets; raises 08P01 if it sends another number.
    using RowSink = std::function<void(const HashedRow &row, Found found)>;
    void merge_rows(const std::vector<int> &buckets, std::int64_t source_rows, const RowSink &sink);

    // Conditions on a relation q of one side's rows: the hash of the key is one of these, or the row is in one of these
    // buckets. At the target they are valid under the settings that begin_text_settings() sets.
    std::string has_key_hash(Side side, const std::vector<std::int64_t> &hashes) const;
    std::string is_in_bucket(Side side, const std::vector<int> &buckets) const;

    // Raises 08P01: the source has contradicted itself or sent an impossible value.
    [[noreturn]] void raise_contradiction(const std::string &what) {
        source_.connection().raise_protocol_violation(what);
    }

  private:
    std::string query(Side side, const std::string &head, const std::string &tail, bool with_key) const;
    RemoteConnection::Statement source_statement(const std::string &head, const std::string &tail, bool with_key) const;
    Question ask_for_sums() const;
    // Sets the parameters that affect the text of values. Returns the nest level.
    int begin_settings() const;
    std::vector<TextRow> select_target(const std::string &head, const std::string &tail, bool with_key, bool newest);

    SourceSession &source_;
    const SourceQuery &query_;
    HashedQuery hashes_;
    TargetSelection target_rows_;
    const Target &target_;
    const TimeZone &zone_;
};

} // namespace pgci
