// Method copy: the rows come by COPY, and are written by COPY.
#pragma once

#include "run/load_run.hpp"

namespace pgci {

// Deletes the slice, copies all rows, ends the source's transaction and records the run. On return `statistics` are
// complete.
void load_by_copy(LoadRun &run);

} // namespace pgci
