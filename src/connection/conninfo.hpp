// From the argument src_conninfo to connection options that the caller may use: the one way in for every function.
#pragma once

#include <string>

#include "connection/connection_options.hpp"

namespace pgci {

// `text` is the name of a foreign server, a libpq connection string, or a URI (also as Airflow writes it). Raises
// 22023 for a connection string that libpq cannot parse, 42704 for a name that is no server, and what
// credential_rules refuses. No message repeats any of the text, because it may hold a password.
ConnectionOptions resolve_source(const std::string &text);

} // namespace pgci
