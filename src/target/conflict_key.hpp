// The key by which modes skip and upsert identify existing rows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "target/target.hpp"

namespace pgci {

struct ConflictKey {
    std::vector<std::string> columns{};
    // For each column, the suffix that makes a value compare as in the index: the column's type and the index's
    // collation.
    std::vector<std::string> conversions{};
    // For each column, how the index compares it. Empty if the indexes are unknown here.
    struct Order {
        std::string equal;     // the operator, such as "OPERATOR(pg_catalog.=)"
        Oid less = InvalidOid; // the operator <
        std::string collate{}; // " COLLATE collation", or empty
        Oid collation = InvalidOid;
        bool is_known() const { return OidIsValid(less); }
    };
    std::vector<Order> order{};
    std::vector<Oid> indexes{}; // all unique indexes on these columns that can detect a conflict
    bool has_nullable_columns = false;
    bool nulls_conflict = false; // UNIQUE NULLS NOT DISTINCT
};

// Returns the primary key, or the given columns. Raises 42703 for a column that does not exist, and 42P10, with the
// key, if no unique index on exactly these columns can detect a conflict.
ConflictKey find_conflict_key(const Target &target, const std::optional<std::vector<std::string>> &key_columns);

// Returns the columns of the primary key of a table, which is locked only meanwhile; empty if there is none that can detect a
// conflict, and for a table that does not exist.
std::vector<std::string> find_primary_key(Oid table);

// Raises 23502: a row has NULL in one of the key columns, whose names are a list. PostgreSQL code.
[[noreturn]] void raise_null_key(const Target &target, const char *key);

} // namespace pgci
