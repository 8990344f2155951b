// What may surprise the user of mode upsert.
#pragma once

#include <string>
#include <vector>

#include "run/prepared_run.hpp"

namespace pgci {

// Returns warnings about the target of an upsert: an old version of a row may remain in another partition, or triggers may make
// equal rows look different. None for other modes.
std::vector<std::string> find_upsert_warnings(const PreparedRun &run);

} // namespace pgci
