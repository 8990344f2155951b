#include "connection/credential_rules.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"

namespace pgci {

namespace {

// Refused to all users: they would change the meaning of the protocol or write secrets to a file.
constexpr std::array<std::string_view, 4> refused{"replication", "client_encoding", "sslkeylogfile", "servicefile"};

// The options that a user who is not a superuser may set in a connection string. Files, services, startup options and
// Unix sockets would use the privileges of the server's operating system user.
constexpr std::array<std::string_view, 20> allowed{"host",
                                                   "hostaddr",
                                                   "port",
                                                   "dbname",
                                                   "user",
                                                   "password",
                                                   "connect_timeout",
                                                   "application_name",
                                                   "fallback_application_name",
                                                   "keepalives",
                                                   "keepalives_idle",
                                                   "keepalives_interval",
                                                   "keepalives_count",
                                                   "tcp_user_timeout",
                                                   "sslmode",
                                                   "channel_binding",
                                                   "require_auth",
                                                   "ssl_min_protocol_version",
                                                   "ssl_max_protocol_version",
                                                   "target_session_attrs"};

template <class Names> bool contains(const Names &names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

// No server accepts a longer startup packet. Each of the 4,096 hashes of SCRAM takes time in proportion to the length
// of the password.
void check_lengths(const ConnectionOptions &options) {
    constexpr std::size_t longest = 10000;
    for (const ConnectionOption &option : options.options)
        if (option.value.size() > longest)
            raise(sqlstate::invalid_parameter, "connection option \"" + option.keyword + "\" is too long",
                  "It may have up to " + std::to_string(longest) + " bytes.");
}

[[noreturn]] void refuse(const std::string &keyword, const char *hint) {
    raise(sqlstate::insufficient_privilege, "permission denied to set connection option \"" + keyword + "\"", hint);
}

void check_refused_to_all(const ConnectionOptions &options) {
    for (const ConnectionOption &option : options.options) {
        const bool is_valid = pg_call([&] { return compat::is_valid_proxy_option(option.keyword.c_str()); });
        if (!is_valid || contains(refused, option.keyword) || option.keyword.starts_with("oauth_"))
            refuse(option.keyword, "Leave the option out; it is set by the server or not supported.");
    }
}

// One TCP host: a Unix socket would log in as the server's operating system user. With several hosts, one could satisfy
// the password rule and another send the rows.
void check_host(const ConnectionOptions &options) {
    const std::string_view host = options.value_or("host", "");
    const std::string_view address = options.value_or("hostaddr", "");
    constexpr const char *hint = "Give one host by TCP, or let a superuser create a foreign server.";
    if (host.empty() && address.empty())
        raise(sqlstate::insufficient_privilege, "permission denied to connect to a source without a host", hint);
    if (host.starts_with('/') || host.starts_with('@'))
        raise(sqlstate::insufficient_privilege, "permission denied to connect to a source by a Unix socket", hint);
    for (const char *const keyword : {"host", "hostaddr", "port"})
        if (options.value_or(keyword, "").find(',') != std::string_view::npos)
            raise(sqlstate::insufficient_privilege, "permission denied to connect to one of several hosts", hint);
}

bool may_use_any_connection(const ConnectionOptions &options) {
    return !options.chosen_by_other && pg_call([] { return superuser(); });
}

} // namespace

void check_options(const ConnectionOptions &options) {
    check_lengths(options);
    check_refused_to_all(options);
    if (may_use_any_connection(options)) return;
    if (!options.set_by_superuser) {
        for (const ConnectionOption &option : options.options)
            if (!contains(allowed, option.keyword))
                refuse(option.keyword,
                       "Only superusers may set it; let one put it into a foreign server, and use that.");
        check_host(options);
    }
    if (options.password_required && options.value_or("password", "").empty())
        raise(sqlstate::password_required, "password is required",
              "Put a password into the user mapping, or let a superuser set password_required=false on it.",
              "Users who are not superusers must provide a password for the source, and so must superusers who use a "
              "foreign server of a role that is not a superuser.");
}

bool must_use_password(const ConnectionOptions &options) {
    return options.password_required && !may_use_any_connection(options);
}

void check_password_used(const ConnectionOptions &options, bool password_was_used) {
    if (password_was_used || !must_use_password(options)) return;
    raise(
        sqlstate::password_required, "source did not ask for a password",
        "Change the source's authentication method to one with a password, such as scram-sha-256, or let a "
        "superuser set password_required=false on the user mapping.",
        "Users who are not superusers must be authenticated by the password that they give, and so must superusers who "
        "use a foreign server of a role that is not a superuser.");
}

} // namespace pgci
