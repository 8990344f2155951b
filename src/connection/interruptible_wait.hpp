// The one way to wait for something outside of this server.
#pragma once

#include "server/pg.hpp"

namespace pgci {

constexpr long longest_wait = 1000; // milliseconds, should a wake-up be lost

// Waits for a descriptor (WL_SOCKET_READABLE, WL_SOCKET_WRITEABLE; 0 for the time alone), at most so long, and serves
// this server's own interrupts meanwhile. Returns whether the descriptor is ready.
bool wait_interruptibly(int descriptor, int events, long timeout_milliseconds);

} // namespace pgci
