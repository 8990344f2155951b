// Resolves the argument src_conninfo to connection options that the caller may use. Every function uses this.
#pragma once

#include <string>

#include "connection/connection_options.hpp"

namespace pgci {

// `text` is the name of a foreign server, a libpq connection string, or a URI (also in Airflow's form). Raises 22023
// for a connection string that libpq cannot parse, 42704 for an unknown server, and the errors of credential_rules. No
// message repeats a part of the text, because it may contain a password.
ConnectionOptions resolve_source(const std::string &text);

} // namespace pgci
