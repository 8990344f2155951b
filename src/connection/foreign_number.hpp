// Parses numbers in texts of the source.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pgci {

// Returns the number if the whole text is an integer from `least` to `most`.
std::optional<std::int64_t> read_integer(std::string_view text, std::int64_t least, std::int64_t most);

// Returns whether the text is an integer, with or without a minus sign, of at most `most_digits` digits.
bool is_whole_number(std::string_view text, std::size_t most_digits);

// Returns the estimated rows in the first line of a plan, such as "Seq Scan on t  (cost=0.00..1.20 rows=12 width=8)",
// or nothing if there is none or it is not valid. Reads the last " rows=", because a name before it may look like one.
std::optional<std::int64_t> rows_of_line(std::string_view line);

} // namespace pgci
