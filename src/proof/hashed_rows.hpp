// Reads the rows of one side of a comparison one by one, so that only a few are in memory.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/named_relation.hpp"
#include "source/source_session.hpp"

namespace pgci {

struct HashedRow {
    std::int64_t key_hash = 0;
    std::int64_t hash = 0; // of the whole row
    std::string key{};     // a JSON object of texts

    bool is_before(const HashedRow &other) const {
        return key_hash != other.key_hash ? key_hash < other.key_hash : hash < other.hash;
    }
};

// Rows of a query at the source that selects three columns: bigint, bigint, text. Its connection cannot be used for anything else before the last row.
class SourceRows {
  public:
    // Sends the query, whose result has `rows` rows.
    SourceRows(RemoteConnection &connection, RemoteConnection::Statement statement, std::int64_t rows);

    // Returns nothing after the last row. Raises 08P01 for another number of rows, or for rows in the wrong order.
    std::optional<HashedRow> next();

  private:
    RemoteConnection &connection_;
    RemoteConnection::Statement statement_;
    std::int64_t rows_left_;
    std::optional<HashedRow> last_{};
    bool has_begun_ = false;
};

// Rows of a local query that selects bigint, bigint and the columns of the key, whose texts are made here. It is executed with
// the privileges of the current user and the snapshot of the calling statement. Rows that exceed work_mem are stored in a
// temporary file.
class TargetRows {
  public:
    // The query must read the relation. Raises 42P01 if it reads another.
    TargetRows(const std::string &sql, std::vector<std::string> key, const UsedRelation &must_read);
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
    const char *key_as_json() const;

    const std::vector<std::string> key_; // names of its columns
    static constexpr std::size_t rows_at_once = 500;
    MemoryContext memory_ = nullptr;   // the rows fetched last
    Tuplestorestate *store_ = nullptr; // freed after the last row
    TupleTableSlot *slot_ = nullptr;
    Row *rows_ = nullptr;
    std::size_t count_ = 0;
    std::size_t position_ = 0;
};

} // namespace pgci
