// Whether an upsert of a window would write older rows over newer ones.
#pragma once

#include <vector>

#include "request/copy_request.hpp"
#include "ledger/window_columns.hpp"

namespace pgci {

// Issues a WARNING if windows of a job of mode upsert may share keys, and a later window is loaded that is not among those that
// are to be loaded now, in order: its rows would be replaced by older ones. `schema` is the extension's.
void warn_of_later_windows(Oid schema, const CopyRequest &request, Oid target, const std::vector<Span> &windows);

} // namespace pgci
