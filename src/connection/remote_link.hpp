// A PGconn that cancels its running query when it is closed.
#pragma once

#include <libpq-fe.h>
#include <vector>

#include "server/memory.hpp"
#include "connection/connection_options.hpp"

namespace pgci {

struct LinkState {
    PGconn *connection = nullptr;
    std::vector<ConnectionOption> options{}; // to connect again for a cancel
    bool password_only = false;              // refuse all authentication requests except those for a password
    int backend_pid = 0;                     // at the source; libpq's own number may be that of a pooler
    bool has_descriptor = false;             // counted by AcquireExternalFD

    // Cancels a running query, which takes at most two seconds, and closes the connection.
    void release() noexcept;
};

using RemoteLink = ContextOwned<LinkState>;

} // namespace pgci
