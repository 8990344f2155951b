// Which arguments go together.
#pragma once

#include "request/copy_request.hpp"

namespace pgci {

// Raises 22023 for an argument that has no meaning beside the others, and so would be ignored, and 0A000 for what the
// method cannot do.
void check_rules(const CopyRequest &request);

} // namespace pgci
