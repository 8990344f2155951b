// Who may connect to a source with which options. Every rule about credentials stands here.
#pragma once

#include "connection/connection_options.hpp"

namespace pgci {

// Refuses what the current user may not set, before anything connects: 42501 for an option that is refused to all
// (replication, client_encoding, ...) or to users who are not superusers, 2F003 for a missing password, 22023 for
// a value that is too long.
void check_options(const ConnectionOptions &options);

// May the current user be let in by a password only, the one given?
bool must_use_password(const ConnectionOptions &options);

// After connecting: a user who is not a superuser must have been let in by the password given, not by the identity
// of the server process (trust, peer, a certificate, Kerberos). Raises 2F003.
void check_password_used(const ConnectionOptions &options, bool password_was_used);

} // namespace pgci
