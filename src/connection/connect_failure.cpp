#include "connection/connect_failure.hpp"

#include <charconv>

#include "server/guard.hpp"
#include "server/remote_text.hpp"

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

// libpq's text about a failed connection, without the password should it be in there.
std::string redacted_message(const PGconn *connection, const ConnectionOptions &options) {
    std::string text = sanitize(PQerrorMessage(connection), 1024);
    const std::string_view password = options.value_or("password", "");
    if (!password.empty() && text.find(password) != std::string::npos)
        return "The reason is not shown because the password is a part of it.";
    return text;
}

} // namespace

void raise_connection_failed(const PGconn *connection, const ConnectionOptions &options, bool timed_out) {
    ErrorReport report{.code = sqlstate::connection_failed,
                       .message = "could not connect to source server",
                       .hint = "Check host, port and pg_hba.conf of the source, and the user's password.",
                       .context = "on source server " + options.display_name()};
    if (timed_out) {
        report.detail = "The connection was not established within connect_timeout.";
    } else if (!options.server.empty() || options.names_are_plain()) {
        report.detail = redacted_message(connection, options);
    } else {
        report.detail = "The reason is not shown because a part of the connection string looks like a piece of a "
                        "password.";
        report.hint += " In a URI, characters such as @ / # ? % of a password must be percent-encoded.";
    }
    raise(report);
}

} // namespace pgci
