// The rows of a query as hashes, which both servers compute alike.
#pragma once

#include <string>
#include <vector>

#include "source/source_session.hpp"
#include "proof/compared_column.hpp"

namespace pgci {

enum class Side { source, target };

class HashedQuery {
  public:
    // `key` are the columns that tell rows apart; empty for all. What both servers can compute depends on the source.
    HashedQuery(SourceSession &source, std::vector<ComparedColumn> columns, const std::vector<std::string> &key);

    // SELECT of h and, if asked for, k (the hash of the key) and the key's parts c0, c1, ..., for all rows of a relation q
    // that follows.
    std::string select(Side side, bool with_key) const;
    // The key as a JSON object, of the texts c0, c1, ...
    std::string key_as_json() const;

  private:
    static const std::string &expression(const ComparedColumn &column, Side side);
    std::string text_hash(const std::string &text, int seed) const;
    std::string row_hash(Side side) const;

    std::vector<ComparedColumn> columns_;
    std::vector<ComparedColumn> key_{};
    bool encodings_differ_;
    bool hashes_records_; // else texts
};

} // namespace pgci
