// Repairs a window: writes only the rows that differ between source and target.
#pragma once

#include <string>
#include <vector>

#include "run/load.hpp"

namespace pgci {

// Returns the request for the repair of the same window. Raises 0A000 for a transform, whose rows are not known, and for mode
// skip and update_where, which keep rows that differ.
CopyRequest repair_of(const CopyRequest &request, Deletes deletes);

// Compares both sides, deletes the rows that the source does not have, and writes those that differ; ends the transaction at the
// source and records the run. `key` identifies a row; if it is empty, rows are compared as a whole and never updated. On return,
// `statistics` are complete. Returns the number of updated rows. Raises 21000 if the source has several rows of a key, 22000 if
// rows cannot be deleted, 08P01 if answers of the source contradict each other.
std::int64_t load_differences(LoadRun &run, const std::vector<std::string> &key);

} // namespace pgci
