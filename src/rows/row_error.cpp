#include "rows/row_error.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace pgci {

bool is_row_error(int code) {
    const std::array<char, 2> letters{static_cast<char>((code & 0x3F) + '0'),
                                      static_cast<char>(((code >> 6) & 0x3F) + '0')};
    const std::string_view category(letters.data(), letters.size());
    constexpr std::array<std::string_view, 9> of_rows{"09", "21", "22", "23", "27", "38", "39", "44", "P0"};
    constexpr std::array<std::string_view, 7> of_the_server{"53", "54", "55", "57", "58", "72", "XX"};
    const auto is_in = [&](const auto &list) { return std::find(list.begin(), list.end(), category) != list.end(); };
    if (is_in(of_rows)) return true;
    // The standard leaves the classes from 5 and from I on to everybody.
    const char first = category[0];
    const bool is_free = (first >= '5' && first <= '9') || (first >= 'I' && first <= 'Z');
    return is_free && !is_in(of_the_server);
}

} // namespace pgci
