// The time limit for connecting to a source, and the errors of a failed connection.
#pragma once

#include <string>
#include <string_view>

#include "connection/connection_options.hpp"

namespace pgci {

// Returns connect_timeout in seconds: 10 if it is not set, 0 for no limit. Raises 22023 if it is not a number.
int connect_timeout(const ConnectionOptions &options);

// Raises 08001 with a reason.
[[noreturn]] void raise_connection_failed(const ConnectionOptions &options, const std::string &reason);
// Raises the error with a reason from libpq, or with another one that does not show it if it might contain a part of a
// password. `remote_state` is the SQLSTATE that the source has sent, or empty. The error is 53300 if the source has no connection
// left, 08004 if it refuses the user or the database, and otherwise 08001.
[[noreturn]] void raise_connection_failed_redacted(const ConnectionOptions &options, const std::string &reason,
                                                   std::string_view remote_state = {});
[[noreturn]] void raise_connection_timed_out(const ConnectionOptions &options);

} // namespace pgci
