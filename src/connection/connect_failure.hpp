// How long connecting to a source may take, and what is said where it fails.
#pragma once

#include <libpq-fe.h>

#include "connection/connection_options.hpp"

namespace pgci {

// connect_timeout in seconds, 10 unless given; 0: no limit. Raises 22023 for anything but a number.
int connect_timeout(const ConnectionOptions &options);

// Raises 08001 with libpq's reason, if no piece of a password may be in it.
[[noreturn]] void raise_connection_failed(const PGconn *connection, const ConnectionOptions &options, bool timed_out);

} // namespace pgci
