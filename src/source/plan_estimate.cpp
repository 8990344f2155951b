#include "source/plan_estimate.hpp"

#include <charconv>

namespace pgci {

std::optional<std::int64_t> rows_of_line(std::string_view line) {
    constexpr std::string_view label = " rows=";
    const std::size_t place = line.rfind(label);
    if (place == std::string_view::npos) return std::nullopt;
    std::int64_t rows = 0;
    const char *const end = line.data() + line.size();
    const auto parsed = std::from_chars(line.data() + place + label.size(), end, rows);
    if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != ' ' || rows < 0) return std::nullopt;
    return rows;
}

} // namespace pgci
