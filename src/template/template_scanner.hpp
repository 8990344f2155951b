// Splits a template into tokens with the scanner of the server, so that $1 in a string is not a parameter.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "template/placeholders.hpp"

namespace pgci {

// A parameter $n in the text.
struct TemplateParameter {
    int number;
    std::size_t at; // byte offset of the $
};

struct TemplateTokens {
    std::size_t length = 0; // up to the end of the statement, without its semicolon
    std::vector<TemplateParameter> parameters{};

    int highest_parameter() const; // the n of the highest $n; 0: none
};

// `what` is the name of the text in messages, and `kind` what it must be. Raises 42601 for a text without tokens, for
// text after the semicolon, and for text that cannot be scanned.
TemplateTokens scan_template(const std::string &text, const char *what, const char *kind);

// Returns a text that is equal for two templates exactly if they have the same tokens. White space, comments,
// semicolons, the case of words and the notation of a string constant do not matter. The result does not depend on the
// server's version. Raises 42601 for text that cannot be scanned.
std::string token_text(const std::string &text);

// Returns whether this character is a token of the text, so that it is in no string, quoted name or comment. It must not be
// part of other tokens. Raises 42601 for text that cannot be scanned.
bool has_token(const std::string &text, char character);

// Checks the rules of bound parameters: $1 alone or $1 and $2, no placeholders, and a window. Raises 22023.
void check_parameters(const TemplateTokens &tokens, const std::string &text, const WindowText *window,
                      const char *what);

// Replaces each parameter by an expression: $1 by the first one.
std::string replace_parameters(const std::string &text, const TemplateTokens &tokens,
                               const std::vector<std::string> &expressions);

} // namespace pgci
