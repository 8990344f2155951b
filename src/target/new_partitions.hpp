// Partitions that a window needs and that the target does not have: the option create_partitions.
#pragma once

#include <string>
#include <vector>

#include "template/window.hpp"
#include "request/copy_request.hpp"
#include "target/target.hpp"

namespace pgci {

// Returns the statements that create partitions for the parts of the window that no partition has, other than the default one: for
// each day or month of `zone`, for a column without a time zone of its own calendar, what is missing of it. Empty if nothing is.
// Raises 42809 if the target is not partitioned by RANGE (column) alone.
std::vector<std::string> find_new_partitions(const Target &target, const Window &window, const TargetColumn &column,
                                             const TimeZone &zone, CreatePartitions size);

} // namespace pgci
