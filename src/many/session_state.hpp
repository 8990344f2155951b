// The user, role and settings of the calling session, so that a background worker has the same privileges and no more.
// PostgreSQL code: for use inside pg_call, or where no C++ object is alive.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Plain data, in shared memory. The user identities are those of parallel query: who logged in, SET SESSION AUTHORIZATION, SET
// ROLE, and the user whose privileges are checked (in a SECURITY DEFINER function, its owner).
struct SessionIdentity {
    Oid database;
    Oid authenticated_user;
    Oid session_user;
    Oid outer_role; // InvalidOid if SET ROLE was not used
    Oid current_user;
    int security_context;
};

SessionIdentity current_identity();

// Connects a background worker to the database of the session, as the user who logged in. Ends with a FATAL error if that user
// may not log in any more, or has too many connections.
void connect_as(const SessionIdentity &identity);

// Settings and loaded libraries as bytes: returns their size, writes them, restores them.
Size session_settings_size();
void save_session_settings(Size size, char *to);
// Call it in a transaction. The worker then has the session user of the session; call take_identity() in each transaction.
void restore_session_settings(char *from, const SessionIdentity &identity);

// Call it in every transaction. Sets the current user of the session, as in a SECURITY DEFINER function.
void take_identity(const SessionIdentity &identity);

} // namespace pgci
