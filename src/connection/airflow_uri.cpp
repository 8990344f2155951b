#include "connection/airflow_uri.hpp"

#include <algorithm>
#include <array>

namespace pgci {

namespace {

// A parameter of a URI's query, percent-encoded.
struct Parameter {
    std::string key;
    std::string value;
};

// PostgresHook removes these before it connects. None is the name of a libpq option.
constexpr std::array<std::string_view, 10> airflow_only{
    "cursor",         "iam",         "redshift",          "redshift-serverless", "cluster-identifier",
    "workgroup-name", "aws_conn_id", "sqlalchemy_scheme", "sqlalchemy_query",    "azure_conn_id"};

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Decodes application/x-www-form-urlencoded.
std::string form_decode(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            decoded += ' ';
        } else if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                   hex_digit(text[i + 2]) >= 0) {
            decoded += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            decoded += text[i];
        }
    }
    return decoded;
}

std::string percent_encode(std::string_view text) {
    constexpr char digits[] = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
            byte == '_' || byte == '-' || byte == '.') {
            encoded += c;
        } else {
            encoded += '%';
            encoded += digits[byte >> 4];
            encoded += digits[byte & 15];
        }
    }
    return encoded;
}

std::vector<Parameter> split_query(std::string_view query) {
    std::vector<Parameter> parameters;
    while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view part = query.substr(0, end);
        const std::size_t equals = part.find('=');
        // Keep a part without "="; libpq raises the error.
        if (equals == std::string_view::npos)
            parameters.push_back({std::string(part), {}});
        else
            parameters.push_back({std::string(part.substr(0, equals)), std::string(part.substr(equals + 1))});
        query.remove_prefix(std::min(end + 1, query.size()));
    }
    return parameters;
}

void append(std::string &query, const Parameter &parameter) {
    if (is_airflow_only(form_decode(parameter.key))) return;
    query += query.empty() ? '?' : '&';
    query += parameter.key + "=";
    query += parameter.key == "options" ? percent_encode(form_decode(parameter.value)) : parameter.value;
}

// Returns the length of the scheme "postgres" or "postgresql", with or without "+driver", before "://"; 0 for any other
// scheme.
std::size_t scheme_length(std::string_view text) {
    const std::size_t end = text.find("://");
    if (end == std::string_view::npos) return 0;
    const std::string_view scheme = text.substr(0, end);
    const std::string_view name = scheme.substr(0, scheme.find('+'));
    return name == "postgres" || name == "postgresql" ? end : 0;
}

} // namespace

bool is_airflow_only(std::string_view key) {
    return std::find(airflow_only.begin(), airflow_only.end(), key) != airflow_only.end();
}

bool is_connection_uri(std::string_view text) { return scheme_length(text) > 0; }

bool is_cut_in_doubt(std::string_view uri) {
    const std::size_t at = uri.find('@');
    if (at == std::string_view::npos) return false;
    const std::size_t end_of_authority = uri.find_first_of("/?", scheme_length(uri) + 3);
    return at > end_of_authority || uri.find('@', at + 1) != std::string_view::npos;
}

std::string normalize_connection_uri(std::string_view uri, ExtraParser parse_extra) {
    const std::string_view rest = uri.substr(scheme_length(uri));
    const std::size_t question = rest.find('?');
    std::string normalized = "postgresql" + std::string(rest.substr(0, question));
    if (question == std::string_view::npos) return normalized;
    std::string query;
    for (const Parameter &parameter : split_query(rest.substr(question + 1))) {
        if (parameter.key == "__extra__") {
            for (const ConnectionOption &extra : parse_extra(form_decode(parameter.value)))
                append(query, {percent_encode(extra.keyword), percent_encode(extra.value)});
        } else {
            append(query, parameter);
        }
    }
    return normalized + query;
}

} // namespace pgci
