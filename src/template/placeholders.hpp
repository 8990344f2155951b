// The placeholders of a template, by the rules of Python's str.format. Pure C++.
#pragma once

#include <string>
#include <string_view>

namespace pgci {

// The values of the placeholders: dates and timestamps in ISO format, which cannot inject SQL. For a window that is not
// a day, day and next_day are empty.
struct WindowText {
    std::string day;      // {} and {day}: 2013-01-31
    std::string next_day; // {next_day}
    std::string start;    // {start} and $1: 2013-01-31 00:00:00-05
    std::string end;      // {end} and $2, exclusive
};

struct FormattedTemplate {
    std::string text;
    int placeholders = 0; // number of replaced placeholders
};

// Replaces {}, {day}, {next_day}, {start} and {end}; {{ and }} become single braces. Throws Error 22023 for a
// placeholder if `window` is null, for an unknown name and for a single brace. `what` is the name of the text in
// messages.
FormattedTemplate format_placeholders(std::string_view text, const WindowText *window, std::string_view what);

// Returns the first of {day}, {next_day}, {start}, {end} in the text, or an empty string.
std::string_view find_named_placeholder(std::string_view text);

} // namespace pgci
