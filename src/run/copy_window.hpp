// The use case: one window of rows from the source into the target, whole or not at all.
#pragma once

#include "request/copy_request.hpp"
#include "connection/connection_keeper.hpp"
#include "ledger/ledger.hpp"

namespace pgci {

// Copies and returns the number of rows written. Everything happens in the caller's transaction, unless commit_batches
// is set; on any error nothing of the transaction stays written and nothing is left at the source. With a keeper, the
// connection to the source may be that of an earlier run, and is kept for the next one.
std::int64_t copy_window(const CopyRequest &request, ConnectionKeeper *keeper = nullptr);

// What a repair did. A row that was in another window of the target counts as inserted.
struct RepairedRows {
    std::int64_t inserted = 0;
    std::int64_t updated = 0;
    std::int64_t deleted = 0;
    std::int64_t compared = 0; // rows of the source
};

// Writes only the rows of the window that differ, with the locks, checks and records of a run. Everything happens in the caller's
// transaction. The request is one that repair_of() returns. `keeper` as for copy_window().
RepairedRows repair_window(const CopyRequest &request, ConnectionKeeper *keeper = nullptr);

// Finds what is wrong with every window of a request before the first one is copied. Connects to the source, has the query described, finds the target and maps the columns, as a run does, and writes
// nothing. Returns the key of the request's own window. Raises what copy_window raises for these.
RunKey check_request(const CopyRequest &request);

} // namespace pgci
