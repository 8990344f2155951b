#include "connection/airflow_extra.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"
#include "connection/airflow_uri.hpp"

namespace pgci {

namespace {

[[noreturn]] void refuse_extra() {
    raise(sqlstate::invalid_parameter, "invalid connection string",
          "The parameter __extra__ must hold a JSON object whose values are strings, numbers or booleans. The text "
          "is not shown because it may contain a password.");
}

// The state of the JSON parser's callbacks; `texts` is a list of key, value, key, value.
struct JsonFields {
    JsonLexContext *lexer;
    List *texts;
    const char *key;
    bool flat; // false if a field that libpq would read has an object or array
};

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

} // namespace

std::vector<ConnectionOption> parse_airflow_extra(std::string json) {
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
    std::vector<ConnectionOption> options;
    for (int i = 0; i + 1 < list_length(fields.texts); i += 2)
        options.push_back({static_cast<const char *>(list_nth(fields.texts, i)),
                           static_cast<const char *>(list_nth(fields.texts, i + 1))});
    return options;
}

} // namespace pgci
