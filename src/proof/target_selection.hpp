// A query that selects the rows of the target to compare.
#pragma once

#include <string>

#include "proof/comparison_settings.hpp"
#include "target/target.hpp"

namespace pgci {

struct TargetSelection {
    std::string sql;
    NameSearch names = NameSearch::session;
};

// Returns a plain selection from the target that was written for the source, so that it can be executed here: each
// relation is qualified with its schema, and names in the conditions are resolved in pg_catalog.
TargetSelection select_by_query(const std::string &query, const Target &target);

} // namespace pgci
