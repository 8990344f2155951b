// Rows of texts: the result of a query here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/pg.hpp"

namespace pgci {

// The text forms of a row's values; nothing is NULL.
using TextRow = std::vector<std::optional<std::string>>;

// Runs a query here, with the calling user's rights; its parameters are texts. It sees what the calling statement sees, or
// if `newest` also what this transaction wrote since.
std::vector<TextRow> select_rows(const std::string &sql, const std::vector<std::string> &parameters = {},
                                 bool newest = false);

} // namespace pgci
