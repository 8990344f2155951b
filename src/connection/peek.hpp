// What a source has sent and libpq has not read yet. It stays there for libpq.
#pragma once

#include <libpq-fe.h>

#include <cstddef>
#include <string>

namespace pgci {

struct Peek {
    enum class State {
        bytes,     // `size` bytes
        nothing,   // none has arrived
        must_send, // TLS has something to send first
        unknown,   // cannot be seen, or the connection has ended: libpq knows
        failed     // TLS has failed
    };
    State state = State::unknown;
    std::size_t size = 0;
    bool is_whole_record = false; // more bytes cannot be seen before libpq has read these
    std::string failure{};
};

// Looks at so many bytes at most, without waiting.
Peek peek(PGconn *connection, unsigned char *buffer, std::size_t size);

} // namespace pgci
