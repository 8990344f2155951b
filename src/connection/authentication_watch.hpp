// What a source may ask of a client during authentication. libpq answers a message within one call, which nothing
// interrupts, so that each message is looked at before libpq reads it.
//
// A SCRAM exchange makes libpq compute as many hashes as the source asks for: 2^31 of them take half an hour. The
// message with that number repeats random bytes that libpq chose in answer to the message before; so it cannot arrive
// before libpq is asked to read it, except in pieces, and then its rest does not look like a message.
#pragma once

#include <libpq-fe.h>

#include <string>
#include <string_view>

namespace pgci {

class AuthenticationWatch {
  public:
    // About 0.7 s of work; PostgreSQL's default is 4096.
    static constexpr int most_iterations = 1'000'000;

    // `password_only`: the source may ask for a password and nothing else.
    explicit AuthenticationWatch(bool password_only) noexcept : password_only_(password_only) {}

    enum class Verdict {
        pass,      // libpq may go on
        wait_read, // nothing has arrived
        wait_send, // TLS has to send first
        wait_rest, // a part of a message has arrived
        refuse     // libpq must not go on; reason() says why
    };
    // Judges what has arrived, if the connection is in its authentication.
    Verdict look(PGconn *connection);
    // Judges the first message of what has arrived during authentication. `is_whole_record`: no more can be seen before
    // libpq has read this.
    Verdict judge(std::string_view received, bool is_whole_record);
    const std::string &reason() const { return reason_; }

  private:
    Verdict judge_request(std::string_view body);
    Verdict judge_iterations(std::string_view server_first);
    Verdict refuse(std::string reason);

    bool password_only_;
    bool is_over_ = false; // nothing that libpq can still be asked takes long
    std::string reason_{};
};

} // namespace pgci
