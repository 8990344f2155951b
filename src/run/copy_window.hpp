// The use case: one window of rows from the source into the target, whole or not at all.
#pragma once

#include "request/copy_request.hpp"

namespace pgci {

// Copies and returns the number of rows written. Everything happens in the caller's transaction, unless commit_batches
// is set; on any error nothing of the transaction stays written and nothing is left at the source.
std::int64_t copy_window(const CopyRequest &request);

} // namespace pgci
