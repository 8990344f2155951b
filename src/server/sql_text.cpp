#include "server/sql_text.hpp"

namespace pgci {

static std::string quote(std::string_view text, char mark) {
    std::string quoted;
    quoted.reserve(text.size() + 2);
    quoted += mark;
    for (const char c : text) {
        if (c == mark) quoted += mark;
        quoted += c;
    }
    quoted += mark;
    return quoted;
}

std::string quote_identifier(std::string_view name) { return quote(name, '"'); }

std::string list_names(const std::vector<std::string> &names, const std::string &before) {
    std::string list;
    for (const std::string &name : names) {
        if (!list.empty()) list += ", ";
        list += before + quote_identifier(name);
    }
    return list;
}

std::string quote_literal(std::string_view text) {
    if (text.find('\\') == std::string_view::npos) return quote(text, '\'');
    std::string doubled;
    for (const char c : text) {
        if (c == '\\') doubled += '\\';
        doubled += c;
    }
    return "E" + quote(doubled, '\'');
}

std::string array_literal(const std::vector<std::string> &elements) {
    std::string literal = "{";
    for (const std::string &element : elements) {
        if (literal.size() > 1) literal += ',';
        literal += '"';
        for (const char c : element) {
            if (c == '"' || c == '\\') literal += '\\';
            literal += c;
        }
        literal += '"';
    }
    return literal + "}";
}

} // namespace pgci
