// Parts of the window for which a partitioned target has no partition.
#pragma once

#include <string>
#include <vector>

#include "template/window.hpp"
#include "target/target.hpp"

namespace pgci {

// Returns warnings about the parts of the window whose rows go into a default partition, or are refused, because no partition has
// them or the target is a partition without them. Looks at each level that is partitioned by RANGE (column) alone. The column is of
// type date, timestamp, timestamptz or an integer; `zone` is that of its local times.
std::vector<std::string> find_partition_warnings(const Target &target, const Window &window, const TargetColumn &column,
                                                 const TimeZone &zone);

} // namespace pgci
