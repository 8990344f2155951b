// The time limit for connecting to a source, and the errors of a failed connection.
#pragma once

#include <string>

#include "connection/connection_options.hpp"

namespace pgci {

// Returns connect_timeout in seconds: 10 if it is not set, 0 for no limit. Raises 22023 if it is not a number.
int connect_timeout(const ConnectionOptions &options);

// Raises 08001 with a reason.
[[noreturn]] void raise_connection_failed(const ConnectionOptions &options, const std::string &reason);
// Raises 08001 with a reason from libpq, or with another one that does not show it if it might contain a part of a
// password.
[[noreturn]] void raise_connection_failed_redacted(const ConnectionOptions &options, const std::string &reason);
[[noreturn]] void raise_connection_timed_out(const ConnectionOptions &options);

} // namespace pgci
