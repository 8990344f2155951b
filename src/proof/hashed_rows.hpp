// The rows of one side of a comparison, one after the other: as many as there are, in the memory of a few.
#pragma once

#include <optional>
#include <string>

#include "server/named_relation.hpp"
#include "source/source_session.hpp"

namespace pgci {

// A row of a query that selects these three columns: bigint, bigint, text.
struct HashedRow {
    std::int64_t key_hash = 0;
    std::int64_t hash = 0; // of the whole row
    std::string key{};

    bool is_before(const HashedRow &other) const {
        return key_hash != other.key_hash ? key_hash < other.key_hash : hash < other.hash;
    }
};

// Of the source, whose connection is theirs until the last row.
class SourceRows {
  public:
    // Sends the query, whose result has this number of rows.
    SourceRows(RemoteConnection &connection, RemoteConnection::Statement statement, std::int64_t rows);

    // Nothing after the last row. Raises 08P01 for another number of rows, or for rows that are not in their order.
    std::optional<HashedRow> next();

  private:
    RemoteConnection &connection_;
    RemoteConnection::Statement statement_;
    std::int64_t rows_left_;
    std::optional<HashedRow> last_{};
    bool has_begun_ = false;
};

// Of a query here, with the calling user's privileges, which sees what the calling statement sees. Its rows are in a file
// where they need more than work_mem.
class TargetRows {
  public:
    // The query must read the relation: raises 42P01 if it reads another.
    TargetRows(const std::string &sql, const UsedRelation &must_read);
    TargetRows(const TargetRows &) = delete;
    TargetRows &operator=(const TargetRows &) = delete;

    std::optional<HashedRow> next();

  private:
    struct Row {
        std::int64_t key_hash;
        std::int64_t hash;
        const char *key;
    };
    void fetch();

    static constexpr std::size_t rows_at_once = 500;
    MemoryContext memory_ = nullptr;   // the rows fetched last
    Tuplestorestate *store_ = nullptr; // until the last row
    TupleTableSlot *slot_ = nullptr;
    Row *rows_ = nullptr;
    std::size_t count_ = 0;
    std::size_t position_ = 0;
};

} // namespace pgci
