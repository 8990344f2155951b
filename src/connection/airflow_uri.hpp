// Connection URIs as Airflow and SQLAlchemy write them, brought into the form that libpq reads. Pure C++.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "connection/connection_options.hpp"

namespace pgci {

// Does the text begin like a connection URI for PostgreSQL: postgres://, postgresql://, or with a driver as in
// postgresql+psycopg2://?
bool is_connection_uri(std::string_view text);

// The same URI for libpq: the driver leaves the scheme; the extras that only Airflow's PostgresHook reads (cursor,
// iam, aws_conn_id, ...) leave the query; the JSON of __extra__ (how Airflow writes extras that are not plain text)
// becomes parameters of its own; a "+" in `options` becomes a space. Everything else stays as it is, so that libpq
// judges it. Facts: Connection.get_uri() of Airflow 2.10 and PostgresHook.ignored_extra_options of its provider 7.
// `parse_extra` reads that JSON; what it throws goes through.
using ExtraParser = std::vector<ConnectionOption> (*)(std::string json);
std::string normalize_connection_uri(std::string_view uri, ExtraParser parse_extra);

// May the URI be cut at another place than its writer meant, because a password holds an "@", "/" or "?"? Of such a
// URI no name may be shown.
bool is_cut_in_doubt(std::string_view uri);

// Is this an extra that only Airflow's PostgresHook reads?
bool is_airflow_only(std::string_view key);

} // namespace pgci
