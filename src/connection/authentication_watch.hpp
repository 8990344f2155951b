// Checks authentication requests before libpq reads them. libpq processes a request in one call, which cannot be
// interrupted.
//
// In a SCRAM exchange the source sets the number of hashes that libpq computes; 2^31 of them take half an hour. The
// message with this number repeats random bytes that libpq chose for the message before it. Therefore it cannot arrive
// complete before libpq waits for it. If a part of it arrives early, the rest does not look like a message and is
// refused.
#pragma once

#include <libpq-fe.h>

#include <string>
#include <string_view>

namespace pgci {

class AuthenticationWatch {
  public:
    // About 0.7 s of work; PostgreSQL's default is 4096.
    static constexpr int most_iterations = 1'000'000;

    // `password_only`: refuse all requests except those for a password.
    explicit AuthenticationWatch(bool password_only) noexcept : password_only_(password_only) {}

    enum class Verdict {
        pass,      // libpq may go on
        wait_read, // nothing has arrived
        wait_send, // TLS must send first
        wait_rest, // only a part of a message has arrived
        refuse     // libpq must not continue; see reason()
    };
    // Checks the bytes that have arrived, if the connection is being authenticated.
    Verdict look(PGconn *connection);
    // Checks the first message in the received bytes. `is_whole_record`: no more bytes can be seen until libpq has read
    // these.
    Verdict judge(std::string_view received, bool is_whole_record);
    const std::string &reason() const { return reason_; }

  private:
    Verdict judge_request(std::string_view body);
    Verdict judge_iterations(std::string_view server_first);
    Verdict refuse(std::string reason);

    bool password_only_;
    bool is_over_ = false; // no later request can take long
    std::string reason_{};
};

} // namespace pgci
