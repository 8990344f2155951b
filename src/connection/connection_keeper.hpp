// Keeps the connection of a run for the next one, because it takes longer to connect than to load a small window.
#pragma once

#include <memory>

#include "connection/remote_connection.hpp"

namespace pgci {

class ConnectionKeeper {
  public:
    // `memory` owns the connections, so it must live longer than the runs.
    explicit ConnectionKeeper(MemoryContext memory) noexcept : memory_(memory) {}

    // Returns the connection of an earlier run, or null if none has these options. Closes one that has other options or was
    // lost.
    std::unique_ptr<RemoteConnection> take(const ConnectionOptions &options);
    // Returns a new connection. Raises what RemoteConnection raises.
    std::unique_ptr<RemoteConnection> connect(const ConnectionOptions &options, const WaitObserver &observer,
                                              ConnectionUse use = ConnectionUse::reads) const;
    // Keeps a connection with these options, if no transaction is open in it.
    void keep(std::unique_ptr<RemoteConnection> connection, const ConnectionOptions &options);

    // Closes the connection that is kept.
    void close() { kept_.reset(); }

  private:
    MemoryContext memory_;
    std::unique_ptr<RemoteConnection> kept_{};
    ConnectionOptions options_{};
};

} // namespace pgci
