// A template cut into tokens by the server's own scanner, so that a $1 in a string is no parameter.
#pragma once

#include <cstddef>
#include <string>

namespace pgci {

struct TemplateTokens {
    std::size_t length = 0;           // up to the end of the statement, without its semicolon
    int highest_parameter = 0;        // the n of the highest $n, 0 = none
    bool has_first_parameter = false; // $1 is among them
};

// Raises 42601 for text without a token, for text after the semicolon, and for what cannot be scanned.
TemplateTokens scan_template(const std::string &text);

} // namespace pgci
