// Method copy: the rows come by COPY, and are written by COPY.
#pragma once

#include "load_run.hpp"

namespace pgci {

// Raises 0A000 for commits between batches, which method copy has none of.
void check_copy(const CopyRequest &request);

// Deletes the slice, copies all rows, ends the source's transaction and records the run. On return `statistics` are
// complete.
void load_by_copy(LoadRun &run);

} // namespace pgci
