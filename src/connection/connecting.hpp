// The interruptible way to a connection.
#pragma once

#include <functional>

#include "connection/remote_link.hpp"

namespace pgci {

// Who takes the messages that arrive meanwhile.
struct MessageTaker {
    PQnoticeReceiver receiver;
    void *argument;
    std::function<void()> after_step; // called often; frees what libpq has collected
};

// Connects within connect_timeout (10 s unless given), and serves interrupts while it waits for name servers and for the
// source. Raises 08001, 53000. What it starts lasts no longer than `memory`.
void connect_link(RemoteLink &link, const ConnectionOptions &options, MemoryContext memory, const MessageTaker &taker);

} // namespace pgci
