// A process that calls getaddrinfo() for this one, which nothing else can interrupt: killed with its owner.
#pragma once

#include <string>

#include "server/memory.hpp"
#include "connection/interruptible_wait.hpp"

namespace pgci {

struct NameProcess {
    pid_t pid = -1;
    int answer = -1; // the end of a pipe
    bool has_descriptor = false;

    // Starts it for a host name; false, with errno, when there is no process or no descriptor to be had.
    bool start(const char *host);
    void release() noexcept;
};

// Its whole answer: a line for each address, or "!" and a reason. Empty when the deadline has passed.
std::string await_answer(const NameProcess &process, const Deadline &deadline);

} // namespace pgci
