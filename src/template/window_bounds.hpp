// How a query or a condition restricts its rows to the window, as far as its parse tree shows it.
#pragma once

#include <string>
#include <vector>

#include "template/marked_text.hpp"
#include "template/placeholders.hpp"

namespace pgci {

// What is false or empty is not so, or cannot be known: a text that could be right is never judged.
struct WindowBounds {
    // Every use of the window is an inequality that excludes rows on the same side: of an upper or a lower bound only.
    bool has_lower_only = false;
    bool has_upper_only = false;
    // The query also returns the window as a constant, so its result may be a snapshot of that day.
    bool has_label = false;
    // Compares one column with the day of the window's start only.
    bool is_for_one_day = false;
    // What is wrong with a comparison that includes the end of the window or excludes its start, or moments before its
    // end: such a value is in two windows, or in none.
    std::string edge{};
    // The only column that is compared with the window, without its relation. Empty for a column of a subquery.
    std::string column{};
    // The types to which {start} and {end} are cast where they are compared; an empty text for none.
    std::vector<std::string> placeholder_casts{};
    // A comparison has AT TIME ZONE.
    bool converts_time_zone = false;

    bool has_one_end() const { return has_lower_only || has_upper_only; }
};

// Reads a template or replace_where, as its author wrote it. Knows nothing of a text that this server cannot parse.
WindowBounds find_bounds(const std::string &text, BoundedText kind);

// Raises 22023 for a text that restricts rows at one end of the window only, and for one that selects a single day
// although the window is not a day. Returns what was found.
WindowBounds check_bounds(const std::string &text, BoundedText kind, const WindowText &window);

// Returns the condition that a hint suggests for a column, in the style of the text. Without a column it is created_at.
std::string half_open_condition(const std::string &text, const std::string &column);

} // namespace pgci
