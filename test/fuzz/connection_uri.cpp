// Connection URIs: whatever a password holds, no name that may be shown has a piece of it.
#include <libpq-fe.h>

#include <memory>

#include "connection/airflow_uri.hpp"
#include "server/error.hpp"
#include "fuzz.hpp"

namespace {

// The JSON of __extra__ is read by the server's parser; here it is one field of that text.
std::vector<pgci::ConnectionOption> one_field(std::string json) { return {{"password", std::move(json)}}; }

// As conninfo.cpp does it; nothing where libpq refuses the text, whose message is never shown.
std::unique_ptr<pgci::ConnectionOptions> parse(const std::string &uri) {
    const std::string normalized = pgci::normalize_connection_uri(uri, one_field);
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
        PQconninfoParse(normalized.c_str(), nullptr), PQconninfoFree);
    if (parsed == nullptr) return nullptr;
    auto options = std::make_unique<pgci::ConnectionOptions>();
    for (const PQconninfoOption *option = parsed.get(); option->keyword != nullptr; ++option)
        if (option->val != nullptr) options->options.push_back({option->keyword, option->val});
    options->cut_in_doubt = pgci::is_cut_in_doubt(uri);
    return options;
}

std::string percent_encode(std::string_view text) {
    std::string encoded;
    for (const char c : text) {
        char hexadecimal[4];
        std::snprintf(hexadecimal, sizeof hexadecimal, "%%%02X", static_cast<unsigned char>(c));
        encoded += hexadecimal;
    }
    return encoded;
}

// A URI into which a password was put as it is. Either libpq reads all of it as the password, or nothing is shown.
void check_raw_password(const std::string &password) {
    for (const char *const rest : {"@db.example.com:5432/shop", "@db.example.com/shop?sslmode=disable", "@[::1]"}) {
        const std::string uri = "postgresql+psycopg2://etl:" + password + rest;
        const auto options = parse(uri);
        if (options == nullptr || !options->names_are_plain()) continue;
        const std::string_view host = options->value_or("host", "");
        fuzz::require(options->value_or("user", "") == "etl" && (host == "db.example.com" || host == "::1"),
                      "names that may be shown are those that were meant", uri + "\nshown: " + options->display_name());
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    std::string text(fuzz::text(data, size));
    text.resize(text.find('\0') == std::string::npos ? text.size() : text.find('\0')); // SQL texts have no zero bytes
    check_raw_password(text);

    // An encoded password arrives whole; so it does in the query, and in the extras.
    const std::string encoded = percent_encode(text);
    for (const std::string &uri : {"postgres://etl:" + encoded + "@db:5432/shop?cursor=dictcursor&iam=false",
                                   "postgresql://etl@db:5432/shop?password=" + encoded,
                                   "postgres+psycopg://etl@db:5432/shop?__extra__=" + encoded}) {
        const auto options = parse(uri);
        fuzz::require(options != nullptr && options->value_or("password", "") == text &&
                          options->value_or("host", "") == "db",
                      "an encoded password arrives whole", uri);
        fuzz::require(options->names_are_plain() && options->display_name() == "db:5432/shop", "its names are shown", uri);
    }

    // Any text at all: what becomes of it begins as libpq wants it, and is stable.
    if (pgci::is_connection_uri(text)) {
        const std::string once = pgci::normalize_connection_uri(text, one_field);
        fuzz::require(once.starts_with("postgresql://"), "the scheme is libpq's", once);
        (void)parse(text);
    }
    return 0;
}
