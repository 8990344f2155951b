// The arguments of copy_incremental() and its sisters, checked before anything connects.
#pragma once

#include "template/window.hpp"
#include "request/copy_request.hpp"
#include "request/named_values.hpp"

namespace pgci {

// Reads the arguments that the function has, by their names; those that it lacks keep their defaults. Raises 22004 for a
// NULL that has no meaning, 22023 for a value that is not allowed or has no meaning beside the others, 0A000 for what
// the method cannot do.
CopyRequest read_copy_arguments(FunctionCallInfo fcinfo, bool commit_batches = false);

// Which options go together. Raises 22023 for one that has no meaning beside the others, and so would be ignored, and 0A000 for
// what the method cannot do.
void check_rules(const CopyRequest &request);

// Arguments "first_day" and "last_day"; raises 22004 for a NULL.
DayRange read_days(const NamedValues &arguments);

} // namespace pgci
