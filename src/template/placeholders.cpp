#include "template/placeholders.hpp"

#include <array>

#include "server/error.hpp"

namespace pgci {

namespace {

struct Placeholder {
    std::string_view name;
    std::string WindowText::*value;
};

constexpr std::array<Placeholder, 5> known{{{"", &WindowText::day},
                                            {"day", &WindowText::day},
                                            {"next_day", &WindowText::next_day},
                                            {"start", &WindowText::start},
                                            {"end", &WindowText::end}}};

const Placeholder *find_known(std::string_view name) {
    for (const Placeholder &placeholder : known)
        if (placeholder.name == name) return &placeholder;
    return nullptr;
}

constexpr const char *escape_hint =
    "Known placeholders are {}, {day}, {next_day}, {start} and {end}. Write {{ and }} for literal braces, or use $1 "
    "and $2, where braces mean nothing.";

[[noreturn]] void refuse_unknown(std::string_view what, std::string_view name) {
    constexpr std::size_t longest_shown = 40;
    // A long text in braces is not a name but a part of a regular expression or of JSON. Do not repeat it.
    if (name.size() > longest_shown)
        throw Error(sqlstate::invalid_parameter, std::string(what) + " has braces that hold no known placeholder",
                    escape_hint);
    throw Error(sqlstate::invalid_parameter,
                std::string(what) + " has an unknown placeholder \"{" + std::string(name) + "}\"", escape_hint);
}

[[noreturn]] void refuse_lone(std::string_view what, char brace) {
    throw Error(sqlstate::invalid_parameter,
                std::string(what) + " has a single \"" + brace + "\" that belongs to no placeholder", escape_hint);
}

} // namespace

FormattedTemplate format_placeholders(std::string_view text, const WindowText *window, std::string_view what) {
    FormattedTemplate result;
    result.text.reserve(text.size() + 32);
    for (std::size_t i = 0; i < text.size();) {
        const char c = text[i];
        if (c != '{' && c != '}') {
            result.text += c;
            ++i;
        } else if (i + 1 < text.size() && text[i + 1] == c) {
            result.text += c;
            i += 2;
        } else if (c == '}') {
            refuse_lone(what, '}');
        } else {
            const std::size_t close = text.find_first_of("{}", i + 1);
            if (close == std::string_view::npos || text[close] == '{') refuse_lone(what, '{');
            const std::string_view name = text.substr(i + 1, close - i - 1);
            const Placeholder *const placeholder = find_known(name);
            if (placeholder == nullptr) refuse_unknown(what, name);
            if (window == nullptr)
                throw Error(sqlstate::invalid_parameter,
                            std::string(what) + " has the placeholder \"{" + std::string(name) + "}\" but day is null",
                            "Pass a day, or write {{ and }} for literal braces.");
            const std::string &value = window->*(placeholder->value);
            if (value.empty())
                throw Error(sqlstate::invalid_parameter,
                            std::string(what) + " has the placeholder \"{" + std::string(name) +
                                "}\" but the window is not a day",
                            "Use {start} and {end}, or $1 and $2.");
            result.text += value;
            ++result.placeholders;
            i = close + 1;
        }
    }
    return result;
}

std::string_view find_named_placeholder(std::string_view text) {
    for (std::size_t open = text.find('{'); open != std::string_view::npos;) {
        // A name contains no brace, so the scan does not read any text twice.
        const std::size_t next = text.find_first_of("{}", open + 1);
        if (next == std::string_view::npos) break;
        const std::string_view name = text.substr(open + 1, next - open - 1);
        if (text[next] == '}' && !name.empty() && find_known(name) != nullptr)
            return text.substr(open, next - open + 1);
        open = text.find('{', next);
    }
    return {};
}

} // namespace pgci
