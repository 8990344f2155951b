// The rules about credentials: who may connect to a source, and with which options.
#pragma once

#include "connection/connection_options.hpp"

namespace pgci {

// The rules for users who are not superusers also apply to a superuser who uses a foreign server of a role that is not a
// superuser. That role has chosen the options: it could name a Unix socket, by which the superuser would log in as the
// operating system user of the server.

// Checks, before connecting, which options the current user may set. Raises 42501 for an option that is refused to all
// users (replication, client_encoding, ...) or to users who are not superusers, 2F003 for a missing password, 22023 for
// a value that is too long.
void check_options(const ConnectionOptions &options);

// Returns whether the source must authenticate the current user by the given password.
bool must_use_password(const ConnectionOptions &options);

// Checks, after connecting, that the source authenticated a user who is not a superuser by the given password, and not
// by the identity of the server process (trust, peer, a certificate, Kerberos). Raises 2F003.
void check_password_used(const ConnectionOptions &options, bool password_was_used);

} // namespace pgci
