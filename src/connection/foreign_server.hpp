// Connection options out of a foreign server and the calling user's mapping.
#pragma once

#include <optional>
#include <string>

#include "connection/connection_options.hpp"

namespace pgci {

// The libpq options of the foreign server called `name` and of the current user's mapping (or PUBLIC's); nothing if
// there is no such server. Options that libpq does not know (fetch_size, use_remote_estimate, ...) are left out.
// Raises 42501 without USAGE on the server, 42704 without a user mapping.
std::optional<ConnectionOptions> find_foreign_server(const std::string &name);

} // namespace pgci
