#include "connection/connection_attempt.hpp"

#include <new>

namespace pgci {

ConnectionAttempt::ConnectionAttempt(const std::vector<ConnectionOption> &options, bool password_only)
    : watch_(password_only) {
    std::vector<const char *> keywords;
    std::vector<const char *> values;
    for (const ConnectionOption &option : options) {
        keywords.push_back(option.keyword.c_str());
        values.push_back(option.value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    // expand_dbname is 0: a connection string in dbname would bypass the checks.
    connection_ = PQconnectStartParams(keywords.data(), values.data(), 0);
    if (connection_ == nullptr) throw std::bad_alloc();
    // In blocking mode libpq would wait for a source that does not read.
    if (PQstatus(connection_) == CONNECTION_BAD || PQsetnonblocking(connection_, 1) != 0) state_ = State::failed;
}

void ConnectionAttempt::advance() {
    switch (watch_.look(connection_)) {
    case AuthenticationWatch::Verdict::pass:
        poll();
        break;
    case AuthenticationWatch::Verdict::wait_read:
        state_ = State::read;
        break;
    case AuthenticationWatch::Verdict::wait_send:
        state_ = State::write;
        break;
    case AuthenticationWatch::Verdict::wait_rest:
        state_ = State::pause;
        break;
    case AuthenticationWatch::Verdict::refuse:
        state_ = State::failed;
        break;
    }
}

void ConnectionAttempt::poll() {
    switch (PQconnectPoll(connection_)) {
    case PGRES_POLLING_READING:
        state_ = State::read;
        break;
    case PGRES_POLLING_WRITING:
        state_ = State::write;
        break;
    case PGRES_POLLING_OK:
        state_ = State::connected;
        break;
    default:
        state_ = State::failed;
    }
}

} // namespace pgci
