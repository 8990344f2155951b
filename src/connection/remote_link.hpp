// A PGconn and how it is closed: what runs there is cancelled.
#pragma once

#include <libpq-fe.h>
#include <vector>

#include "server/memory.hpp"
#include "connection/connection_options.hpp"

namespace pgci {

struct LinkState {
    PGconn *connection = nullptr;
    std::vector<ConnectionOption> options{}; // to connect once more, for a cancel
    bool password_only = false;              // the source may ask for a password and nothing else
    int backend_pid = 0;                     // at the source; libpq's own number may be a pooler's
    bool has_descriptor = false;             // of this server's account of open files

    // Closes the connection. Takes two seconds at most, and mostly none.
    void release() noexcept;
};

using RemoteLink = ContextOwned<LinkState>;

} // namespace pgci
