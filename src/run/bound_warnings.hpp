// Warnings about the window in the texts of a request. They need no connection.
#pragma once

#include <string>
#include <vector>

#include "request/copy_request.hpp"

namespace pgci {

struct BoundWarning {
    std::string message;
    std::string hint;
};

// Finds comparisons for which midnight belongs to two windows or to none, in the query and in replace_where.
std::vector<BoundWarning> find_bound_warnings(const CopyRequest &request);

// Issues them as WARNINGs.
void warn_of_bounds(const CopyRequest &request);

} // namespace pgci
