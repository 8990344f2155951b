// The SQL statements of each mode.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "request/option_list.hpp"
#include "target/batch_relation.hpp"
#include "target/conflict_key.hpp"
#include "target/target.hpp"

namespace pgci {

// The statements of a run. `insert` is executed once for each batch.
struct LoadStatements {
    std::string remove; // DELETE of the slice; empty if the mode does not delete
    std::string insert;
    bool counts_outside = false; // `insert` returns two counts: rows written, and rows outside the slice
};

// Builds the statements. `key` is for skip and upsert, `slice` for replace (empty: the whole target).
LoadStatements build_statements(Mode mode, const Target &target, const BatchRelation &batch,
                                const std::optional<ConflictKey> &key, const std::string &slice);

} // namespace pgci
