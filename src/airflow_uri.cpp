#include "airflow_uri.hpp"

#include "compat.hpp"
#include "guard.hpp"

namespace pgci {

namespace {

// A parameter of a URI's query, still in percent-encoding.
struct Parameter {
    std::string key;
    std::string value;
};

// PostgresHook takes these out before it connects; libpq has no option of any of these names.
constexpr std::array<std::string_view, 10> airflow_only{
    "cursor",         "iam",         "redshift",          "redshift-serverless", "cluster-identifier",
    "workgroup-name", "aws_conn_id", "sqlalchemy_scheme", "sqlalchemy_query",    "azure_conn_id"};

[[noreturn]] void refuse_extra() {
    raise(sqlstate::invalid_parameter, "invalid connection string",
          "The parameter __extra__ must hold a JSON object whose values are strings, numbers or booleans. The text "
          "is not shown because it may contain a password.");
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Undoes application/x-www-form-urlencoded.
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

// What the JSON parser's callbacks collect: a flat list of key, value, key, value.
struct JsonFields {
    JsonLexContext *lexer;
    List *texts;
    const char *key;
    bool flat; // no nesting in a field that libpq would read
};

bool is_airflow_only(std::string_view key) {
    return std::find(airflow_only.begin(), airflow_only.end(), key) != airflow_only.end();
}

using compat::JsonAction;

JsonAction on_object_start(void *state) {
    auto *const fields = static_cast<JsonFields *>(state);
    if (fields->lexer->lex_level > 0 && !is_airflow_only(fields->key)) fields->flat = false;
    return compat::json_action_done();
}

JsonAction on_array_start(void *state) {
    auto *const fields = static_cast<JsonFields *>(state);
    if (fields->lexer->lex_level == 0 || !is_airflow_only(fields->key)) fields->flat = false;
    return compat::json_action_done();
}

JsonAction on_field_start(void *state, char *name, bool) {
    auto *const fields = static_cast<JsonFields *>(state);
    if (fields->lexer->lex_level == 1) fields->key = name;
    return compat::json_action_done();
}

JsonAction on_scalar(void *state, char *token, JsonTokenType type) {
    auto *const fields = static_cast<JsonFields *>(state);
    if (fields->lexer->lex_level == 0) {
        fields->flat = false;
    } else if (fields->lexer->lex_level == 1 && type != JSON_TOKEN_NULL) {
        fields->texts = lappend(fields->texts, pstrdup(fields->key));
        fields->texts = lappend(fields->texts, token);
    }
    return compat::json_action_done();
}

// The fields of a JSON object as parameters.
std::vector<Parameter> parse_extra(std::string json) {
    JsonFields fields{nullptr, NIL, "", true};
    const bool parsed = pg_call([&] {
        fields.lexer = compat::make_json_lexer(json.data(), static_cast<int>(json.size()));
        JsonSemAction actions{};
        actions.semstate = &fields;
        actions.object_start = on_object_start;
        actions.array_start = on_array_start;
        actions.object_field_start = on_field_start;
        actions.scalar = on_scalar;
        return pg_parse_json(fields.lexer, &actions) == JSON_SUCCESS;
    });
    if (!parsed || !fields.flat) refuse_extra();
    std::vector<Parameter> parameters;
    for (int i = 0; i + 1 < list_length(fields.texts); i += 2)
        parameters.push_back({percent_encode(static_cast<const char *>(list_nth(fields.texts, i))),
                              percent_encode(static_cast<const char *>(list_nth(fields.texts, i + 1)))});
    return parameters;
}

std::vector<Parameter> split_query(std::string_view query) {
    std::vector<Parameter> parameters;
    while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view part = query.substr(0, end);
        const std::size_t equals = part.find('=');
        // A part without "=" is left for libpq to refuse.
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

// The length of "postgres" or "postgresql", with or without "+driver", that stands before "://"; 0 if none does.
std::size_t scheme_length(std::string_view text) {
    const std::size_t end = text.find("://");
    if (end == std::string_view::npos) return 0;
    const std::string_view scheme = text.substr(0, end);
    const std::string_view name = scheme.substr(0, scheme.find('+'));
    return name == "postgres" || name == "postgresql" ? end : 0;
}

} // namespace

bool is_connection_uri(std::string_view text) { return scheme_length(text) > 0; }

std::string normalize_connection_uri(std::string_view uri) {
    const std::string_view rest = uri.substr(scheme_length(uri));
    const std::size_t question = rest.find('?');
    std::string normalized = "postgresql" + std::string(rest.substr(0, question));
    if (question == std::string_view::npos) return normalized;
    std::string query;
    for (const Parameter &parameter : split_query(rest.substr(question + 1))) {
        if (parameter.key == "__extra__") {
            for (const Parameter &extra : parse_extra(form_decode(parameter.value))) append(query, extra);
        } else {
            append(query, parameter);
        }
    }
    return normalized + query;
}

} // namespace pgci
