#include "connection/conninfo.hpp"

#include <libpq-fe.h>
#include <memory>

#include "server/guard.hpp"
#include "connection/airflow_extra.hpp"
#include "connection/airflow_uri.hpp"
#include "connection/credential_rules.hpp"
#include "connection/foreign_server.hpp"

namespace pgci {

namespace {

[[noreturn]] void raise_invalid() {
    raise(sqlstate::invalid_parameter, "invalid connection string",
          "Check its keywords, quoting and percent-encoding; the text is not shown because it may contain a "
          "password.");
}

// libpq's message is not used: it quotes parts of the text, which can contain a password.
ConnectionOptions parse(const std::string &conninfo) {
    char *message = nullptr;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
        PQconninfoParse(conninfo.c_str(), &message), PQconninfoFree);
    const bool out_of_memory = message == nullptr || std::strcmp(message, "out of memory\n") == 0;
    PQfreemem(message);
    if (parsed == nullptr && out_of_memory) throw std::bad_alloc();
    if (parsed == nullptr) raise_invalid();
    ConnectionOptions result;
    for (const PQconninfoOption *option = parsed.get(); option->keyword != nullptr; ++option)
        if (option->val != nullptr) result.options.push_back({option->keyword, option->val});
    // This is not the name of a database. The source would log it, including the password.
    if (is_connection_uri(result.value_or("dbname", ""))) raise_invalid();
    return result;
}

ConnectionOptions parse_uri(const std::string &uri) {
    ConnectionOptions options = parse(normalize_connection_uri(uri, parse_airflow_extra));
    options.cut_in_doubt = is_cut_in_doubt(uri);
    return options;
}

ConnectionOptions resolve(const std::string &text) {
    if (is_connection_uri(text)) return parse_uri(text);
    if (std::optional<ConnectionOptions> server = find_foreign_server(text)) return *std::move(server);
    if (text.find('=') == std::string::npos) {
        // The text is shown only if it is nearly the name of a server, and so is no password.
        if (const std::string near = find_near_server(text); !near.empty())
            raise(sqlstate::undefined_object, "server \"" + text + "\" does not exist",
                  "Perhaps you meant the server \"" + near + "\".");
        raise(sqlstate::undefined_object, "src_conninfo is neither a foreign server nor a connection string",
              "Create the server with CREATE SERVER, or pass a connection string such as \"host=... dbname=...\" or a "
              "URI; the text is not shown because it may contain a password.");
    }
    return parse(text);
}

} // namespace

ConnectionOptions resolve_source(const std::string &text) {
    ConnectionOptions options = resolve(text);
    check_options(options);
    // Detect a lost peer within about a minute, and show the source who is connected.
    options.add_default("keepalives_idle", "30");
    options.add_default("keepalives_interval", "10");
    options.add_default("keepalives_count", "3");
    options.add_default("tcp_user_timeout", "60000");
    // A Kerberos library can search for credentials without a time limit.
    options.add_default("gssencmode", "disable");
    options.add_default("fallback_application_name", "copy_incremental");
    return options;
}

} // namespace pgci
