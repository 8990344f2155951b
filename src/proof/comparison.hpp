// The rows of a window on both servers, as checksums that do not depend on their order. Each server computes its own.
#pragma once

#include <string>
#include <vector>

#include "server/text_rows.hpp"
#include "source/source_session.hpp"
#include "proof/compared_column.hpp"

namespace pgci {

// Of a number of rows: how many, and the sum of their 64-bit hashes.
struct Checksum {
    std::string rows;
    std::string sum;

    bool operator==(const Checksum &) const = default;
};

// A key's rows, by the hash of each.
struct KeyedRow {
    std::string key; // a JSON object of texts
    std::string hash;
};

class Comparison {
  public:
    // `target_rows` is a query of the target's rows that are to be there. `key` are the columns that tell rows apart;
    // empty for all.
    Comparison(SourceSession &source, const SourceQuery &query, std::vector<ComparedColumn> columns,
               std::string target_rows, const std::vector<std::string> &key, const TimeZone &zone);

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
    Sides<std::vector<KeyedRow>> rows(const std::vector<int> &buckets);

  private:
    enum class Side { source, target };
    static const std::string &expression(const ComparedColumn &column, Side side);
    std::string text_hash(const std::string &text, int seed) const;
    std::string row_hash(Side side) const;
    std::string hashed_rows(Side side, bool with_key) const;
    std::string key_as_json() const;
    std::string query(Side side, const std::string &head, const std::string &tail, bool with_key) const;
    RemoteConnection::Statement ask_source(const std::string &head, const std::string &tail, bool with_key);
    std::vector<TextRow> receive(const RemoteConnection::Statement &statement);
    std::vector<TextRow> select_target(const std::string &head, const std::string &tail, bool with_key, bool newest);
    Sides<std::vector<TextRow>> select_both(const std::string &head, const std::string &tail, bool with_key);

    SourceSession &source_;
    const SourceQuery &query_;
    std::vector<ComparedColumn> columns_;
    std::vector<ComparedColumn> key_;
    std::string target_rows_;
    const TimeZone &zone_;
    bool encodings_differ_;
    bool hashes_records_; // else texts
};

} // namespace pgci
