// Makes text of any origin valid, free of control characters and short, for use in messages. No function cuts a
// multibyte character.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pgci {

// Returns the text, valid in the encoding of this database, with control characters replaced by "?", of at most
// `longest` bytes.
std::string sanitize(const char *text, std::size_t longest);

// Returns whether a text of this database's encoding contains a control character, such as a line break.
bool has_control_character(const std::string &text);

// Returns the beginning of a text, of at most `longest` bytes.
std::string_view beginning(std::string_view text, std::size_t longest);

// Returns the text, or its beginning and "..." if it is longer than `longest` bytes.
std::string shorten(std::string_view text, std::size_t longest = 100);

// Returns a text of up to 8 kB unchanged, and the beginning and the end of a longer one.
std::string shorten_middle(std::string_view text);

// Returns "a, b, c", or the first names and the number of the others.
std::string shorten_list(const std::vector<std::string> &names);

// The part of a query that an error shows, and the position in it: the 1-based number of a character.
struct Excerpt {
    std::string text;
    int position;
};

// Returns a query of up to 8 kB unchanged, and the part around the position of a longer one.
Excerpt excerpt(std::string_view query, int position);

} // namespace pgci
