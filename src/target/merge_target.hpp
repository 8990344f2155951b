// Whether mode upsert can use MERGE for a target.
#pragma once

#include <string>
#include <vector>

#include "target/target.hpp"

namespace pgci {

struct MergeTarget {
    bool is_possible = false;
    bool queues_triggers = true; // has triggers other than BEFORE ... FOR EACH ROW
};

// `filled` are the columns of a new row that the run sends. Into a partitioned table, MERGE opens every partition and INSERT
// only those of the rows, so MERGE is used only where INSERT ... ON CONFLICT would do what only new rows need: compute a
// volatile default, miss a NOT NULL column, fire BEFORE triggers.
MergeTarget look_at_merge_target(const Target &target, const std::vector<std::string> &filled);

} // namespace pgci
