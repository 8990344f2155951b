// The key by which modes skip and upsert know a row again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "target/target.hpp"

namespace pgci {

struct ConflictKey {
    std::vector<std::string> columns{};
    // Of each, the text that behind a value makes it compare as the key does: the column's type, the index's collation.
    std::vector<std::string> conversions{};
    bool has_nullable_columns = false;
    bool nulls_conflict = false; // UNIQUE NULLS NOT DISTINCT
};

// The primary key, or the given columns. Raises 42703 for a column that is not there, 42P10 where no unique index of
// exactly these columns can tell a conflict, and names the key that was looked for.
ConflictKey find_conflict_key(const Target &target, const std::optional<std::vector<std::string>> &key_columns);

} // namespace pgci
