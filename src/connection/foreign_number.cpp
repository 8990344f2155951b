#include "connection/foreign_number.hpp"

#include <charconv>

namespace pgci {

std::optional<std::int64_t> read_integer(std::string_view text, std::int64_t least, std::int64_t most) {
    std::int64_t number = 0;
    const char *const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end || number < least || number > most) return std::nullopt;
    return number;
}

bool is_whole_number(std::string_view text, std::size_t most_digits) {
    const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
    return !digits.empty() && digits.size() <= most_digits &&
           digits.find_first_not_of("0123456789") == std::string_view::npos;
}

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
