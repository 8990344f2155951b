// Methods cursor and bulk: the rows come by a cursor, batch by batch.
#pragma once

#include "run/load_run.hpp"

namespace pgci {

// Deletes the slice, then reads and writes batch after batch, and ends the source's transaction. With commit_batches
// every batch is recorded and committed; else the last record is the run's. On return `statistics` are complete.
void load_by_cursor(LoadRun &run);

} // namespace pgci
