// Converts connection URIs of Airflow and SQLAlchemy to the form that libpq reads. Pure C++.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "connection/connection_options.hpp"

namespace pgci {

// Returns whether the text begins with postgres://, postgresql:// or a scheme with a driver, such as
// postgresql+psycopg2://.
bool is_connection_uri(std::string_view text);

// Returns the URI for libpq. Removes the driver from the scheme, and the extras that only Airflow's PostgresHook reads
// (cursor, iam, aws_conn_id, ...) from the query. Replaces __extra__, in which Airflow writes other than text values,
// by a parameter for each field of its JSON, which `parse_extra` parses; its exceptions are not caught. Replaces "+" by
// a space in `options`. Does not change anything else; libpq checks the result. Source: Connection.get_uri() of Airflow
// 2.10 and PostgresHook.ignored_extra_options of its provider 7.
using ExtraParser = std::vector<ConnectionOption> (*)(std::string json);
std::string normalize_connection_uri(std::string_view uri, ExtraParser parse_extra);

// Returns whether an "@", "/" or "?" in a password may cut the URI at the wrong place. Messages must not show any name
// from such a URI.
bool is_cut_in_doubt(std::string_view uri);

// Returns whether only Airflow's PostgresHook reads this extra.
bool is_airflow_only(std::string_view key);

} // namespace pgci
