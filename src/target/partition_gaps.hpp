// Parts of the window for which a partitioned target has no partition, and partitions for them.
#pragma once

#include <string>
#include <vector>

#include "template/window.hpp"
#include "request/copy_request.hpp"
#include "target/target.hpp"

namespace pgci {

// If the target is partitioned by RANGE (column) alone, returns a warning about the parts of the window whose rows go into its
// default partition or are refused. Returns an empty text if there are none. Subpartitions are not looked at. The column is
// of type date, timestamp or timestamptz; `zone` is that of its local times.
std::string find_partition_warning(const Target &target, const Window &window, const TargetColumn &column,
                                   const TimeZone &zone);

// Returns the statements that create partitions for the parts of the window that no partition has, other than the default one: for
// each day or month of `zone`, for a column without a time zone of its own calendar, what is missing of it. Empty if nothing is.
// Raises 42809 if the target is not partitioned by RANGE (column) alone.
std::vector<std::string> find_new_partitions(const Target &target, const Window &window, const TargetColumn &column,
                                             const TimeZone &zone, CreatePartitions size);

} // namespace pgci
