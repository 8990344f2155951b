// The arguments of copy_incremental() and related functions, checked before a connection is made.
#pragma once

#include "template/window.hpp"
#include "request/copy_request.hpp"
#include "request/named_values.hpp"

namespace pgci {

// Reads the arguments that the function has, by name; the others keep their defaults. Raises 22004 for a NULL that has
// no meaning, 22023 for a value that is not allowed or that cannot be combined with the others, 0A000 for what the
// method does not support.
CopyRequest read_copy_arguments(FunctionCallInfo fcinfo, bool commit_batches = false);

// Checks which options can be combined. Raises 22023 for an option that would be ignored, 0A000 for what the method
// does not support.
void check_rules(const CopyRequest &request);

// Returns the bytes of a size such as 64MB. Raises 22023, which names the option, for what is not a positive size.
std::int64_t read_size(const std::string &size, const char *option);

} // namespace pgci
