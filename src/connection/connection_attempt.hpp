// A libpq connection attempt in steps. No step waits, and none takes longer than a second.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <vector>

#include "connection/authentication_watch.hpp"
#include "connection/connection_options.hpp"

namespace pgci {

class ConnectionAttempt {
  public:
    // Starts to connect with these options, which must have addresses instead of host names. `password_only`: see
    // AuthenticationWatch. The caller owns connection().
    ConnectionAttempt(const std::vector<ConnectionOption> &options, bool password_only);

    PGconn *connection() const { return connection_; }

    enum class State {
        read,  // wait until the socket is readable, then call advance()
        write, // wait until it is writable, then call advance()
        pause, // wait for pause_milliseconds, then call advance()
        connected,
        failed
    };
    static constexpr int pause_milliseconds = 10;
    State state() const { return state_; }
    void advance();

    // The reason if this class ended the attempt; empty if libpq has the reason.
    const std::string &refusal() const { return watch_.reason(); }
    // The reason of libpq, and the SQLSTATE if the source sent one.
    struct Reason {
        std::string text;
        std::string sqlstate{};
    };
    Reason reason() const;

  private:
    void poll();

    PGconn *connection_;
    AuthenticationWatch watch_;
    State state_ = State::write;
};

} // namespace pgci
