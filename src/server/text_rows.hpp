// Rows of texts: the result of a query here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/named_relation.hpp"

namespace pgci {

// The text forms of a row's values; nothing is NULL.
using TextRow = std::vector<std::optional<std::string>>;

// Runs a query here, with the calling user's rights; its parameters are texts. It sees what the calling statement sees, or
// if `newest` also what this transaction wrote since. Where it must read a relation, raises 42P01 if it reads another.
std::vector<TextRow> select_rows(const std::string &sql, const std::vector<std::string> &parameters = {},
                                 bool newest = false, const UsedRelation *must_read = nullptr);

} // namespace pgci
