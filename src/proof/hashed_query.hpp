// Builds a query that returns the rows of another query as hashes, computed in the same way by both servers.
#pragma once

#include <string>
#include <vector>

#include "source/source_session.hpp"
#include "proof/compared_column.hpp"

namespace pgci {

enum class Side { source, target };

class HashedQuery {
  public:
    // `key` are the columns that identify a row; empty for all columns. The session at the source determines what both
    // servers can compute.
    HashedQuery(SourceSession &source, std::vector<ComparedColumn> columns, const std::vector<std::string> &key);

    // Returns a SELECT of h and, if requested, k (the hash of the key) and c0, c1, ... (the columns of the key: texts, or at the
    // target values whose text this session has to make) for all rows of a relation q, which the caller appends.
    std::string select(Side side, bool with_key) const;
    // Returns k as an expression on a relation q.
    std::string key_hash(Side side) const;
    // Returns the key as a JSON object of the texts c0, c1, ....
    std::string key_as_json() const;
    std::vector<std::string> key_columns() const;

  private:
    static bool makes_text(const ComparedColumn &column, Side side);
    static const std::string &expression(const ComparedColumn &column, Side side);
    std::string text_hash(const std::string &text, int seed) const;
    std::string record_hash(const std::vector<ComparedColumn> &columns, Side side, int seed) const;

    std::vector<ComparedColumn> columns_;
    std::vector<ComparedColumn> key_{};
    bool encodings_differ_;
    bool hashes_records_; // else their text
};

} // namespace pgci
