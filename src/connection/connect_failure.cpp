#include "connection/connect_failure.hpp"

#include <charconv>

#include "server/guard.hpp"
#include "server/shown_text.hpp"

namespace pgci {

int connect_timeout(const ConnectionOptions &options) {
    constexpr int default_seconds = 10;
    const std::string_view text = options.value_or("connect_timeout", "");
    if (text.empty()) return default_seconds;
    int seconds = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
        raise(sqlstate::invalid_parameter, "connection option \"connect_timeout\" must be a whole number of seconds");
    return seconds;
}

namespace {

SqlState refusal_state(std::string_view remote) {
    if (remote == "53300") return sqlstate::too_many_connections;
    // The source starts, shuts down, or lacks something.
    const bool may_change = remote.empty() || remote.starts_with("57") || remote.starts_with("53") ||
                            remote.starts_with("58") || remote.starts_with("08") || remote.starts_with("XX");
    return may_change ? sqlstate::connection_failed : sqlstate::connection_refused;
}

[[noreturn]] void raise_failure(const ConnectionOptions &options, const std::string &reason, const char *more_hint,
                                SqlState code = sqlstate::connection_failed) {
    raise(ErrorReport{.code = code,
                      .message = "could not connect to source server \"" + options.display_name() + "\"",
                      .detail = reason,
                      .hint = std::string("Check host, port and pg_hba.conf of the source, and the user's password.") +
                              more_hint,
                      .context = "on source server " + options.display_name()});
}

} // namespace

void raise_connection_failed(const ConnectionOptions &options, const std::string &reason) {
    raise_failure(options, reason, "");
}

void raise_connection_timed_out(const ConnectionOptions &options) {
    raise_failure(options, "The connection was not established within connect_timeout.", "");
}

void raise_connection_failed_redacted(const ConnectionOptions &options, const std::string &reason,
                                      std::string_view remote_state) {
    const SqlState code = refusal_state(remote_state);
    if (options.server.empty() && !options.names_are_plain())
        raise_failure(
            options,
            "The reason is not shown because a part of the connection string looks like a piece of a password.",
            " In a URI, characters such as @ / # ? % of a password must be percent-encoded.", code);
    const std::string text = sanitize(reason.c_str(), 1024);
    const std::string_view password = options.value_or("password", "");
    if (!password.empty() && text.find(password) != std::string::npos)
        raise_failure(options, "The reason is not shown because the password is a part of it.", "", code);
    raise_failure(options, text, "", code);
}

} // namespace pgci
