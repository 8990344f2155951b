// The arguments of copy_incremental(), checked before anything connects.
#pragma once

#include "copy_window.hpp"

namespace pgci {

// Raises 22004 for a NULL that has no meaning, 22023 for a value that is not allowed, 0A000 for one that is not
// supported yet.
CopyRequest read_copy_arguments(FunctionCallInfo fcinfo);

} // namespace pgci
