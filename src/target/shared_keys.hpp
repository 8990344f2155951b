// Whether the order in which windows are written decides which rows remain.
#pragma once

#include "request/copy_request.hpp"

namespace pgci {

// Returns the column of the query's result that decides on the window; empty if none is known to.
std::string deciding_column(const CopyRequest &request);

// Returns whether a row of one window may have the key of a row of another, so that an upsert of the second window overwrites the
// first. False if the key contains the column that decides on the window, or if update_where says which row is newer. `target`
// may not exist yet.
bool windows_may_share_keys(const CopyRequest &request, Oid target);

} // namespace pgci
