// The result of a local query as text.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/named_relation.hpp"

namespace pgci {

// The values of a row as text; NULL has no value.
using TextRow = std::vector<std::optional<std::string>>;

// Executes a query with the privileges of the current user; its parameters are texts. It uses the snapshot of the
// calling statement, or, if `newest`, also sees later changes of this transaction. If `must_read` is given, raises
// 42P01 if the query reads another relation.
std::vector<TextRow> select_rows(const std::string &sql, const std::vector<std::string> &parameters = {},
                                 bool newest = false, const UsedRelation *must_read = nullptr);

} // namespace pgci
