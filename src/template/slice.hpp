// The part of the target that mode replace renews: a condition with the window put in.
#pragma once

#include <string>

#include "template/placeholders.hpp"

namespace pgci {

// The text of replace_where as an SQL condition, by the rules of a query template: placeholders, or $1 and $2, which
// become constants. `window` is null when no day was given. Raises 42601 for what is not one expression, 22023 for a
// condition without the window when there is one.
std::string slice_condition(const std::string &replace_where, const WindowText *window);

// A checked query with constants in place of $1 and $2.
std::string put_in_window(const std::string &text, const WindowText &window);

} // namespace pgci
