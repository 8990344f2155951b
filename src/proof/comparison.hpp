// The rows of a window on both servers, as checksums that do not depend on their order. Each server computes its own.
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

// Of a number of rows: how many, and the sum of their 64-bit hashes.
struct Checksum {
    std::string rows;
    std::string sum;

    bool operator==(const Checksum &) const = default;
};

class Comparison {
  public:
    // `target_rows` are the rows of `target` that are compared. `key` are the columns that tell rows apart;
    // empty for all.
    Comparison(SourceSession &source, const SourceQuery &query, std::vector<ComparedColumn> columns,
               TargetSelection target_rows, const Target &target, const std::vector<std::string> &key,
               const TimeZone &zone);

    Checksum source_checksum();
    // Sees what this transaction wrote.
    Checksum target_checksum();

    // What both servers have, which work at the same time.
    template <class T> struct Sides {
        T source;
        T target;
    };
    Sides<Checksum> checksums();
    // The rows fall into buckets by their key; these are the checksums of each that has rows.
    using Buckets = std::vector<std::pair<int, Checksum>>;
    Sides<Buckets> buckets();
    // Gives the rows of these buckets that only one side has to the sink, those with the same hash of the key together. Both
    // servers sort them, so no more than a few rows are held here.
    // `source_rows` is how many rows the source has in these buckets by its own count; raises 08P01 for another number.
    using UnmatchedSink = std::function<void(const HashedRow &row, bool is_of_source)>;
    void merge_rows(const std::vector<int> &buckets, std::int64_t source_rows, const UnmatchedSink &sink);

    // Raises 08P01: the source has contradicted itself, or sent what it cannot have.
    [[noreturn]] void raise_contradiction(const std::string &what) {
        source_.connection().raise_protocol_violation(what);
    }

  private:
    std::string query(Side side, const std::string &head, const std::string &tail, bool with_key) const;
    RemoteConnection::Statement source_statement(const std::string &head, const std::string &tail, bool with_key) const;
    Question ask_for_sums() const;
    // Sets what decides over the texts of values here; returns the level to go back to.
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
