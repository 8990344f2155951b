// libpq's way to a connection, one step after the other. No step waits, neither for the source nor for anybody else, and
// none takes longer than a second.
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
    // Begins to connect with these options, which must give addresses instead of names. `password_only`: see
    // AuthenticationWatch. The caller owns connection().
    ConnectionAttempt(const std::vector<ConnectionOption> &options, bool password_only);

    PGconn *connection() const { return connection_; }

    enum class State {
        read,  // wait until the socket can be read, then advance()
        write, // the same for writing
        pause, // wait a little, then advance()
        connected,
        failed
    };
    static constexpr int pause_milliseconds = 10;
    State state() const { return state_; }
    void advance();

    // Why the attempt was given up; empty where libpq knows.
    const std::string &refusal() const { return watch_.reason(); }

  private:
    void poll();

    PGconn *connection_;
    AuthenticationWatch watch_;
    State state_ = State::write;
};

} // namespace pgci
