// The scans in a plan that the source sent as JSON.
#pragma once

#include "server/text_rows.hpp"

namespace pgci {

// The scans that read a whole table for a part of it: schema, table, condition. Nothing where this server cannot read
// the text as JSON, or only with a deeper stack, which is no error of this server's user.
std::optional<std::vector<TextRow>> filtering_scans(const std::string &json);

} // namespace pgci
