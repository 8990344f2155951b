#include "connection/connection_attempt.hpp"

#include <algorithm>
#include <new>
#include <string_view>

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
    // Only then the message of a failure has the SQLSTATE of the source.
    (void)PQsetErrorVerbosity(connection_, PQERRORS_VERBOSE);
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
        (void)PQsetErrorVerbosity(connection_, PQERRORS_DEFAULT);
        break;
    default:
        state_ = State::failed;
    }
}

// The message has "FATAL:  53300: too many connections", and ends with the place in the source code of the server.
ConnectionAttempt::Reason ConnectionAttempt::reason() const {
    Reason reason{.text = PQerrorMessage(connection_)};
    constexpr std::string_view mark = ":  ";
    constexpr std::size_t length = 5;
    const auto is_of_code = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
    for (auto at = reason.text.find(mark); at != std::string::npos; at = reason.text.find(mark, at + 1)) {
        const auto code = at + mark.size();
        const std::string_view rest = std::string_view(reason.text).substr(code);
        if (rest.size() < length + 2 || !std::all_of(rest.begin(), rest.begin() + length, is_of_code) ||
            rest.substr(length, 2) != ": ")
            continue;
        reason.sqlstate = rest.substr(0, length);
        reason.text.erase(code, length + 2);
        const auto last_line = reason.text.find_last_of('\n', reason.text.size() - 2);
        if (last_line != std::string::npos && reason.text.find(".c:", last_line) != std::string::npos)
            reason.text.erase(last_line + 1);
        break;
    }
    return reason;
}

} // namespace pgci
