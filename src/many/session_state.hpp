// Who the calling session is and what settings it has, so that a background worker can be the same and no more.
// PostgreSQL code: for use inside pg_call, or where no C++ object is alive.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Plain data, in shared memory. The user identities are those of parallel query: who logged in, SET SESSION
// AUTHORIZATION, SET ROLE, and who the rights are checked for (in a SECURITY DEFINER function its owner).
struct SessionIdentity {
    Oid database;
    Oid authenticated_user;
    Oid session_user;
    Oid outer_role; // InvalidOid without SET ROLE
    Oid current_user;
    int security_context;
};

SessionIdentity current_identity();

// Connects a background worker to the session's database as the user who logged in. A FATAL error where that user may
// not log in any more, or has too many connections.
void connect_as(const SessionIdentity &identity);

// Settings and loaded libraries as bytes: their size, the bytes, and back.
Size session_settings_size();
void save_session_settings(Size size, char *to);
// In a transaction; afterwards the worker is the session's user, until take_identity() in each transaction.
void restore_session_settings(char *from, const SessionIdentity &identity);

// In every transaction: the current user of the session, as inside a SECURITY DEFINER function.
void take_identity(const SessionIdentity &identity);

} // namespace pgci
