// The owner of a PGconn: closes it, and cancels what runs there, whichever way this server leaves.
#pragma once

#include <libpq-fe.h>

#include <vector>

#include "server/pg.hpp"
#include "connection/connection_options.hpp"

namespace pgci {

// Begins to connect, without waiting. The caller owns the connection; null when out of memory.
PGconn *start_connection(const std::vector<ConnectionOption> &options);

// C++ unwinding closes it, and so does the end of `memory`, of a transaction or a procedure's call: a FATAL error ends
// the process without unwinding. Closing never throws and takes a second at most.
class RemoteLink {
  public:
    explicit RemoteLink(MemoryContext memory);
    ~RemoteLink();
    RemoteLink(const RemoteLink &) = delete;
    RemoteLink &operator=(const RemoteLink &) = delete;

    struct State {
        PGconn *connection = nullptr;
        std::vector<ConnectionOption> options{}; // to connect once more, for a cancel
        int backend_pid = 0;                     // at the source; libpq's own number may be a pooler's
        bool has_descriptor = false;             // of this server's account of open files
    };
    State *operator->() const { return state_; }

  private:
    State *state_;
    MemoryContext context_;
};

} // namespace pgci
