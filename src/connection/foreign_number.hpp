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

// The estimate in the first line of a plan: "Seq Scan on t  (cost=0.00..1.20 rows=12 width=8)". Nothing where it has
// none, or one that no planner makes. EXPLAIN writes it behind all names, which may look like it.
std::optional<std::int64_t> rows_of_line(std::string_view line);

} // namespace pgci
