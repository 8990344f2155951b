#include "server/shown_text.hpp"

#include "server/pg.hpp"

namespace pgci {

std::string sanitize(const char *text, std::size_t longest) {
    if (text == nullptr) return {};
    std::string clean(text, strnlen(text, longest + 1));
    if (clean.size() > longest) {
        const int kept = pg_mbcliplen(clean.data(), static_cast<int>(clean.size()), static_cast<int>(longest));
        clean.resize(static_cast<std::size_t>(kept));
    }
    const bool valid = pg_verify_mbstr(GetDatabaseEncoding(), clean.data(), static_cast<int>(clean.size()), true);
    for (char &c : clean) {
        const auto byte = static_cast<unsigned char>(c);
        const bool control = (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F;
        if (control || (!valid && byte >= 0x80)) c = '?';
    }
    while (!clean.empty() && clean.back() == '\n') clean.pop_back();
    return clean;
}

bool has_control_character(const std::string &text) {
    const int encoding = GetDatabaseEncoding();
    for (const char *rest = text.c_str(); *rest != '\0'; rest += pg_encoding_mblen(encoding, rest))
        if (pg_encoding_dsplen(encoding, rest) < 0) return true;
    return false;
}

std::string_view beginning(std::string_view text, std::size_t longest) {
    if (text.size() <= longest) return text;
    // Longer than any prefix that can fit, so that pg_mbcliplen does not read the whole text.
    const auto size = static_cast<int>(std::min(text.size(), longest + MAX_MULTIBYTE_CHAR_LEN));
    return text.substr(0, static_cast<std::size_t>(pg_mbcliplen(text.data(), size, static_cast<int>(longest))));
}

std::string shorten(std::string_view text, std::size_t longest) {
    if (text.size() <= longest) return std::string(text);
    return std::string(beginning(text, longest)) + "...";
}

std::string shorten_middle(std::string_view text) {
    constexpr std::size_t longest_whole = 8192;
    constexpr std::size_t longest_part = 500;
    if (text.size() <= longest_whole) return std::string(text);
    return shorten(text, longest_part).append(text.substr(beginning(text, text.size() - longest_part).size()));
}

std::string shorten_list(const std::vector<std::string> &names) {
    constexpr std::size_t longest_list = 300;
    std::string list;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (list.size() > longest_list) return list + " and " + std::to_string(names.size() - i) + " more";
        list += (list.empty() ? "" : ", ") + shorten(names[i]);
    }
    return list;
}

Excerpt excerpt(std::string_view query, int position) {
    constexpr std::size_t longest_query = 8192;
    constexpr int characters = 100; // on each side of the position
    if (query.size() <= longest_query) return {std::string(query), position};
    const auto bytes_of = [](std::string_view text, int count) {
        return static_cast<std::size_t>(pg_mbcharcliplen(text.data(), static_cast<int>(text.size()), count));
    };
    const int left_out = std::max(position - 1 - characters, 0);
    const std::string_view rest = query.substr(bytes_of(query, left_out));
    const std::string_view shown = rest.substr(0, bytes_of(rest, 2 * characters));
    const std::string_view before = left_out > 0 ? "..." : "";
    std::string text(before);
    text.append(shown).append(shown.size() < rest.size() ? "..." : "");
    return {std::move(text), position - left_out + static_cast<int>(before.size())};
}

} // namespace pgci
