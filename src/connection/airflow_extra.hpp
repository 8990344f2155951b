// The extras of an Airflow connection that are written as JSON in its URI.
#pragma once

#include <string>
#include <vector>

#include "connection/connection_options.hpp"

namespace pgci {

// Returns the fields of the JSON object in __extra__ as connection options, without objects and arrays that only
// Airflow's PostgresHook reads. Raises 22023, without the text, for anything other than a JSON object of scalar values.
std::vector<ConnectionOption> parse_airflow_extra(std::string json);

} // namespace pgci
