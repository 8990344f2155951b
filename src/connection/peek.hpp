// Looks at bytes that the source has sent and that libpq has not read. They remain available to libpq.
#pragma once

#include <libpq-fe.h>

#include <cstddef>
#include <string>

namespace pgci {

struct Peek {
    enum class State {
        bytes,     // `size` bytes
        nothing,   // nothing has arrived
        must_send, // TLS must send first
        unknown,   // cannot be seen, or the connection has ended: let libpq continue
        failed     // TLS has failed
    };
    State state = State::unknown;
    std::size_t size = 0;
    bool is_whole_record = false; // no more bytes can be seen until libpq has read these
    std::string failure{};
};

// Looks at up to `size` bytes. Does not wait.
Peek peek(PGconn *connection, unsigned char *buffer, std::size_t size);

} // namespace pgci
