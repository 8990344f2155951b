// A query that selects rows of the target here.
#pragma once

#include <string>

#include "proof/comparison_settings.hpp"
#include "target/target.hpp"

namespace pgci {

struct TargetSelection {
    std::string sql;
    NameSearch names = NameSearch::session;
};

// A plain selection from the target that was written for the source, as it may run here: each relation is named with its
// schema, and the names in its conditions are found in pg_catalog.
TargetSelection select_by_query(const std::string &query, const Target &target);

} // namespace pgci
