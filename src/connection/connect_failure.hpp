// How long connecting to a source may take, and what is said where it fails.
#pragma once

#include <string>

#include "connection/connection_options.hpp"

namespace pgci {

// connect_timeout in seconds, 10 unless given; 0: no limit. Raises 22023 for anything but a number.
int connect_timeout(const ConnectionOptions &options);

// Raises 08001 with a reason.
[[noreturn]] void raise_connection_failed(const ConnectionOptions &options, const std::string &reason);
// Raises 08001 with a reason of libpq's, or another one that may repeat a part of the options, if no piece of a password
// may be in it.
[[noreturn]] void raise_connection_failed_redacted(const ConnectionOptions &options, const std::string &reason);
[[noreturn]] void raise_connection_timed_out(const ConnectionOptions &options);

} // namespace pgci
