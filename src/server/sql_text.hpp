// Quoting of identifiers and strings. Pure C++.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgci {

// Returns the name as a quoted identifier.
std::string quote_identifier(std::string_view name);

// Returns "name, name, ..." as quoted identifiers, with a prefix before each.
std::string list_names(const std::vector<std::string> &names, const std::string &before = {});

// Returns the text as a string constant that has the same meaning for each value of standard_conforming_strings.
std::string quote_literal(std::string_view text);

// Returns an array of texts as PostgreSQL reads it.
std::string array_literal(const std::vector<std::string> &elements);

} // namespace pgci
