// The statements of each mode.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "request/option_list.hpp"
#include "target/batch_relation.hpp"
#include "target/conflict_key.hpp"
#include "target/target.hpp"

namespace pgci {

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
