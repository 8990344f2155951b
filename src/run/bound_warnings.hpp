// Warnings about the window in the texts of a request. They need no connection.
#pragma once

#include <string>
#include <vector>

#include "template/slice_fit.hpp"
#include "request/copy_request.hpp"

namespace pgci {

struct BoundWarning {
    std::string message;
    std::string hint;
    std::string detail{};
};

// The texts of mode replace whose windows must be the same; nothing for another mode, and without replace_where.
std::optional<SliceTexts> slice_texts(const CopyRequest &request);

// Finds comparisons for which midnight belongs to two windows or to none, in the query and in replace_where, and a
// replace_where whose window may be another one than that of the query.
std::vector<BoundWarning> find_bound_warnings(const CopyRequest &request);

// What explain adds if it is not known whether the windows of the query and of replace_where are the same; or empty.
std::string find_unknown_slice(const CopyRequest &request);

// What a message is about: the job of the request, or the target of a call.
std::string subject_of(const CopyRequest &request, const std::string &target);

// Issues the warnings as WARNINGs, which name the job, or else the target.
void warn_of_bounds(const CopyRequest &request, const std::string &target = "");

} // namespace pgci
