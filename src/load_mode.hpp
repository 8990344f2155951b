// What happens to a row that the target already has, and to rows that it has and the source has not.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conflict_key.hpp"
#include "batch_relation.hpp"
#include "target.hpp"

namespace pgci {

enum class Mode {
    append,  // INSERT
    skip,    // rows whose key is there are left out
    upsert,  // rows whose key is there replace it, where they differ
    replace, // the slice is deleted first, and no row may be outside of it
};

// The word of the SQL argument, and the mode of a word.
std::string_view mode_name(Mode mode);
std::optional<Mode> find_mode(std::string_view name);

// The statements of a run. Each batch is one execution of `insert`.
struct LoadStatements {
    std::string remove; // DELETE of the slice; empty if the mode has none
    std::string insert;
    bool counts_outside = false; // `insert` is a query of two counts: rows written, rows outside of the slice
};

// Builds the statements. `key` is for skip and upsert, `slice` for replace (empty: the whole target).
LoadStatements build_statements(Mode mode, const Target &target, const BatchRelation &batch,
                                const std::optional<ConflictKey> &key, const std::string &slice);

} // namespace pgci
