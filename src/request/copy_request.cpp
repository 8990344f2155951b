#include "request/copy_request.hpp"

#include "server/sql_text.hpp"

namespace pgci {

namespace {

std::string value_text(const std::string &text) { return quote_literal(text); }

std::string value_text(std::int64_t number) { return std::to_string(number); }

std::string value_text(const std::vector<std::string> &names) {
    std::string list;
    for (const std::string &name : names) list += (list.empty() ? "" : ", ") + quote_literal(name);
    return "ARRAY[" + list + "]";
}

} // namespace

std::string options_text(const RequestOptions &options) {
    const RequestOptions standard{};
    std::string text;
    const auto add = [&](const char *name, const std::string &value) {
        text.append(text.empty() ? "" : ", ").append(name).append(" => ").append(value);
    };
#define OPTION_WORD(name, ...)                                                                                         \
    if (options.name != standard.name) add(#name, value_text(std::string(word_of(options.name))));
#define OPTION_INTEGER(name, ...)                                                                                      \
    if (options.name != standard.name) add(#name, value_text(options.name));
#define OPTION_NUMBER(name, ...)                                                                                       \
    if (options.name) add(#name, value_text(*options.name));
#define OPTION_COUNT(name, ...)                                                                                        \
    if (options.name) add(#name, value_text(*options.name));
#define OPTION_FLAG(name, ...)                                                                                         \
    if (options.name != standard.name) add(#name, options.name ? "true" : "false");
#define OPTION_TEXT(name, ...)                                                                                         \
    if (options.name) add(#name, value_text(*options.name));
#define OPTION_NAMES(name, ...)                                                                                        \
    if (options.name) add(#name, value_text(*options.name));
#define OPTION_RELATION(name, ...) // the caller shows the target by itself
#include "request/options.inc"
    return text;
}

std::optional<Window> CopyRequest::window(const TimeZone &zone) const {
    if (!has_window()) return std::nullopt;
    const Window own = span ? Window::of(window_kind, *span, zone) : Window::of_day(*day, zone);
    return lookback > 0 ? own.grown_back(lookback, zone) : own;
}

SourceQuery CopyRequest::written_query(const WindowText *window) const {
    return {query_template, window, window_column ? DayStyle::by_column : DayStyle::in_query};
}

} // namespace pgci
