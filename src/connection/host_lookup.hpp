// Addresses of host names. getaddrinfo() waits for name servers and nothing interrupts it; so a process of its own calls
// it, which is killed when nobody waits for it any more.
#pragma once

#include <string>
#include <vector>

#include "server/pg.hpp"
#include "connection/connection_options.hpp"
#include "connection/interruptible_wait.hpp"

namespace pgci {

// The options with addresses (hostaddr) for all of their host names, in libpq's order; names stay, for TLS. `failure` says
// why there are none: no name has an address, or the deadline has passed (then it is empty).
struct AddressedOptions {
    std::vector<ConnectionOption> options{};
    bool found = true;
    std::string failure{};
};

// Serves interrupts while it waits. The process lasts no longer than `memory`.
AddressedOptions look_up_hosts(const ConnectionOptions &options, const Deadline &deadline, MemoryContext memory);

} // namespace pgci
