// Pieces of SQL text. Pure C++.
#pragma once

#include <string>
#include <string_view>

namespace pgci {

// The name as a delimited identifier, always in double quotes.
std::string quote_identifier(std::string_view name);

// The text as a string constant that reads the same whatever standard_conforming_strings is.
std::string quote_literal(std::string_view text);

} // namespace pgci
