// Resolves host names to addresses. getaddrinfo() waits for name servers and cannot be interrupted. Therefore a child
// process calls it; the child is killed when its result is no longer needed.
#pragma once

#include <string>
#include <vector>

#include "server/pg.hpp"
#include "connection/connection_options.hpp"
#include "connection/interruptible_wait.hpp"

namespace pgci {

// The options with an address (hostaddr) for each host name, in libpq's order. Host names are kept for TLS. `failure`
// is the reason if no name has an address; it is empty if the deadline has passed.
struct AddressedOptions {
    std::vector<ConnectionOption> options{};
    bool found = true;
    std::string failure{};
};

// Processes interrupts while it waits. `memory` owns the child process.
AddressedOptions look_up_hosts(const ConnectionOptions &options, const Deadline &deadline, MemoryContext memory);

} // namespace pgci
