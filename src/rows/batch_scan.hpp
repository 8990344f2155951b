// A plan node that reads the rows of the batch in hand from memory, in place of the scan of the function.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Returns the node that replaces this scan of copy_incremental_batch_rows(), which is `batch_function`; null if it scans
// another function, or uses what the node cannot return, such as the row as a whole. PostgreSQL code.
Plan *make_batch_scan(const FunctionScan *scan, Oid batch_function);

} // namespace pgci
