#include "server/remote_text.hpp"

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

} // namespace pgci
