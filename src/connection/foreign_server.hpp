// Reads connection options from a foreign server and the user mapping of the current user.
#pragma once

#include <optional>
#include <string>

#include "connection/connection_options.hpp"

namespace pgci {

// Returns the libpq options of the foreign server `name` and of the mapping for the current user or PUBLIC; nothing if
// there is no such server. Ignores options that libpq does not know (fetch_size, use_remote_estimate, ...). Raises
// 42501 without USAGE on the server, 42704 without a user mapping.
std::optional<ConnectionOptions> find_foreign_server(const std::string &name);

// Returns the name of a foreign server that the user may use and that differs from the text in at most two letters; empty
// if there is none.
std::string find_near_server(const std::string &text);

} // namespace pgci
