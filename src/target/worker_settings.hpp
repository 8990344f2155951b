// The settings of the servers over which Citus distributes tables: the sessions there have their own.
#pragma once

#include <string>

#include "template/window.hpp"

namespace pgci {

// Returns which settings of these servers differ, such as "TimeZone is Asia/Tokyo instead of UTC on 10.0.0.7:5432", if they
// execute a part of the query and the query calls functions whose results depend on settings; empty otherwise. `zone` is that of
// the run. Connects to the servers, but only for such a query.
std::string find_other_settings(const std::string &query, const TimeZone &zone);

} // namespace pgci
