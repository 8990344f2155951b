// Quoting: what is quoted reads back as it was, whatever standard_conforming_strings is.
#include "server/sql_text.hpp"

#include "fuzz.hpp"

namespace {

// Reads a delimited text as the server's scanner does, and requires that it ends where the text does.
std::string unquote(std::string_view quoted, char mark, bool has_escapes) {
    std::string text;
    fuzz::require(quoted.size() >= 2 && quoted.front() == mark, "it begins with its mark");
    std::size_t i = 1;
    for (; i < quoted.size(); ++i) {
        if (has_escapes && quoted[i] == '\\') {
            fuzz::require(i + 1 < quoted.size() && quoted[i + 1] == '\\', "only backslashes are escaped");
            ++i;
        } else if (quoted[i] == mark) {
            if (i + 1 == quoted.size() || quoted[i + 1] != mark) break;
            ++i;
        }
        text += quoted[i];
    }
    fuzz::require(i + 1 == quoted.size(), "it ends with its mark", std::string(quoted));
    return text;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view text = fuzz::text(data, size);
    fuzz::require(unquote(pgci::quote_identifier(text), '"', false) == text, "an identifier reads back");
    const std::string literal = pgci::quote_literal(text);
    const bool escaped = literal.front() == 'E';
    fuzz::require(escaped == (text.find('\\') != std::string_view::npos), "E stands where a backslash is");
    fuzz::require(unquote(std::string_view(literal).substr(escaped ? 1 : 0), '\'', escaped) == text, "a literal reads back");
    return 0;
}
