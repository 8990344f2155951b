// Finds scans in a plan that the source sent as JSON.
#pragma once

#include "server/text_rows.hpp"

namespace pgci {

// Returns the scans that read a whole table and filter it: schema, table, condition. Returns nothing if this server
// cannot parse the text as JSON with its stack depth; this does not raise an error.
std::optional<std::vector<TextRow>> filtering_scans(const std::string &json);

} // namespace pgci
