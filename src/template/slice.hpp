// The part of the target that mode replace replaces: a condition that contains the window.
#pragma once

#include <string>
#include <vector>

#include "template/placeholders.hpp"

namespace pgci {

// Returns the text of replace_where as an SQL condition. The rules are those of a query template: placeholders, or $1
// and $2, which become constants. `window` is null if no day was given. Raises 42601 if the text is not one expression,
// 22023 if there is a window and the condition does not use it.
std::string slice_condition(const std::string &replace_where, const WindowText *window);

// Raises 42601 unless the text, the value of this option, is one expression that does not close the parenthesis around it.
void check_condition(const std::string &text, const char *option, const char *example);

// Replaces $1 and $2 in a checked text by constants, whose type is inferred as that of a parameter.
std::string put_in_values(const std::string &text, const std::vector<std::string> &values);

} // namespace pgci
