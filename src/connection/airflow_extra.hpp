// The extras of an Airflow connection, as its URI carries them.
#pragma once

#include <string>
#include <vector>

#include "connection/connection_options.hpp"

namespace pgci {

// The fields of the JSON object that stands in __extra__, as connection options; objects and arrays that only
// Airflow's PostgresHook reads are left out. Raises 22023, without the text, when it is no JSON object of plain values.
std::vector<ConnectionOption> parse_airflow_extra(std::string json);

} // namespace pgci
