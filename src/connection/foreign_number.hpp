// Numbers in texts that the source sends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pgci {

// The number, if the text is one from `least` to `most` and nothing else.
std::optional<std::int64_t> read_integer(std::string_view text, std::int64_t least, std::int64_t most);

// Is the text a whole number of any sign and at most so many digits?
bool is_whole_number(std::string_view text, std::size_t most_digits);

} // namespace pgci
