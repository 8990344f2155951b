// Parts of the window for which a partitioned target has no partition.
#pragma once

#include <string>

#include "template/window.hpp"
#include "target/target.hpp"

namespace pgci {

// If the target is partitioned by RANGE (column) alone, returns a warning about the parts of the window whose rows go into its
// default partition or are refused. Returns an empty text if there are none. Subpartitions are not looked at. The column is
// of type date, timestamp or timestamptz; `zone` is that of its local times.
std::string find_partition_warning(const Target &target, const Window &window, const TargetColumn &column,
                                   const TimeZone &zone);

} // namespace pgci
