// What is wrong with every window of a request, found before the first one is copied.
#pragma once

#include "request/copy_request.hpp"
#include "ledger/ledger.hpp"

namespace pgci {

// Connects to the source, has the query described, finds the target and maps the columns, as a run does, and writes
// nothing. Returns the key of the request's own window. Raises what copy_window raises for these.
RunKey check_request(const CopyRequest &request);

} // namespace pgci
