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

[[noreturn]] void raise_failure(const ConnectionOptions &options, const std::string &reason, const char *more_hint) {
    raise(ErrorReport{.code = sqlstate::connection_failed,
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

void raise_connection_failed_redacted(const ConnectionOptions &options, const std::string &reason) {
    if (options.server.empty() && !options.names_are_plain())
        raise_failure(
            options,
            "The reason is not shown because a part of the connection string looks like a piece of a password.",
            " In a URI, characters such as @ / # ? % of a password must be percent-encoded.");
    const std::string text = sanitize(reason.c_str(), 1024);
    const std::string_view password = options.value_or("password", "");
    if (!password.empty() && text.find(password) != std::string::npos)
        raise_failure(options, "The reason is not shown because the password is a part of it.", "");
    raise_failure(options, text, "");
}

} // namespace pgci
