// The placeholders of a template, by the rules of Python's str.format. Pure C++.
#pragma once

#include <string>
#include <string_view>

namespace pgci {

// What the placeholders stand for: dates and timestamps in ISO form, so nothing can be injected.
// Of a window that is no day, day and next_day are empty.
struct WindowText {
    std::string day;      // {} and {day}: 2013-01-31
    std::string next_day; // {next_day}
    std::string start;    // {start} and $1: 2013-01-31 00:00:00-05
    std::string end;      // {end} and $2, exclusive
};

struct FormattedTemplate {
    std::string text;
    int placeholders = 0; // how many were replaced
};

// Replaces {}, {day}, {next_day}, {start} and {end}; {{ and }} become single braces. With `window` null there is
// nothing to put in, so a placeholder is an error. Throws Error 22023 for that, an unknown name or a lone brace.
// Messages call the text `what`.
FormattedTemplate format_placeholders(std::string_view text, const WindowText *window, std::string_view what);

// The first of {day}, {next_day}, {start}, {end} in the text, or an empty string.
std::string_view find_named_placeholder(std::string_view text);

} // namespace pgci
