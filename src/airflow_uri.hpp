// Connection URIs as Airflow and SQLAlchemy write them, brought into the form that libpq reads.
#pragma once

#include <string>
#include <string_view>

namespace pgci {

// Does the text begin like a connection URI for PostgreSQL: postgres://, postgresql://, or with a driver as in
// postgresql+psycopg2://?
bool is_connection_uri(std::string_view text);

// The same URI for libpq: the driver leaves the scheme; the extras that only Airflow's PostgresHook reads (cursor,
// iam, aws_conn_id, ...) leave the query; the JSON of __extra__ (how Airflow writes extras that are not plain text)
// becomes parameters of its own; a "+" in `options` becomes a space. Everything else stays as it is, so that libpq
// judges it. Facts: Connection.get_uri() of Airflow 2.10 and PostgresHook.ignored_extra_options of its provider 7.
// Throws Error 22023, without the text, when __extra__ holds no JSON object of plain values.
std::string normalize_connection_uri(std::string_view uri);

} // namespace pgci
