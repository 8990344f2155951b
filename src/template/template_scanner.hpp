// A template cut into tokens by the server's own scanner, so that a $1 in a string is no parameter.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "template/placeholders.hpp"

namespace pgci {

// A $n in the text.
struct TemplateParameter {
    int number;
    std::size_t at; // the byte where it begins
};

struct TemplateTokens {
    std::size_t length = 0; // up to the end of the statement, without its semicolon
    std::vector<TemplateParameter> parameters{};

    int highest_parameter() const; // the n of the highest $n, 0 = none
};

// `what` is what messages call the text, and `kind` what it has to be. Raises 42601 for text without a token, for text
// after the semicolon, and for what cannot be scanned.
TemplateTokens scan_template(const std::string &text, const char *what, const char *kind);

// A text that two templates have in common exactly when they have the same tokens: white space, comments, semicolons, the case of
// words and the way in which a string constant is written make no difference. It is the same in every version of the
// server. Raises 42601 for what cannot be scanned.
std::string token_text(const std::string &text);

// The rules of bound parameters: $1 alone or $1 and $2, no placeholder beside them, a window to put in. Raises 22023.
void check_parameters(const TemplateTokens &tokens, const std::string &text, const WindowText *window,
                      const char *what);

// The text with an expression in place of each parameter: the first one for $1.
std::string replace_parameters(const std::string &text, const TemplateTokens &tokens,
                               const std::vector<std::string> &expressions);

} // namespace pgci
