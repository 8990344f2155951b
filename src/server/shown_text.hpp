// Texts of any origin and length, made valid, harmless and short where a message shows them. Every cut is between two
// characters.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pgci {

// The text, valid in this database's encoding, control characters replaced by "?", no longer than `longest` bytes.
std::string sanitize(const char *text, std::size_t longest);

// The beginning of a text, of at most `longest` bytes.
std::string_view beginning(std::string_view text, std::size_t longest);

// The text, or its beginning and "..." where it has more than `longest` bytes.
std::string shorten(std::string_view text, std::size_t longest = 100);

// A text of up to 8 kB as it is; of a longer one the beginning and the end.
std::string shorten_middle(std::string_view text);

// "a, b, c", or the first of the names and how many more there are.
std::string shorten_list(const std::vector<std::string> &names);

// What an error shows of a query, and the position in it, which is the 1-based number of a character.
struct Excerpt {
    std::string text;
    int position;
};

// A query of up to 8 kB as a whole, a longer one as what is around the position.
Excerpt excerpt(std::string_view query, int position);

} // namespace pgci
