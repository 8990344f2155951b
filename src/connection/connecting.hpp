// Connects to a source; the connection attempt can be interrupted.
#pragma once

#include <functional>

#include "connection/remote_link.hpp"

namespace pgci {

// Receives the messages that arrive during the connection attempt.
struct MessageTaker {
    PQnoticeReceiver receiver;
    void *argument;
    std::function<void()> after_step; // called often; frees the notifications that libpq collects
};

// Connects within connect_timeout (10 s if it is not set). Processes interrupts while it waits for name servers and for
// the source. Raises 08001, 53000. `memory` owns everything that it starts.
void connect_link(RemoteLink &link, const ConnectionOptions &options, MemoryContext memory, const MessageTaker &taker);

} // namespace pgci
