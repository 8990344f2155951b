// A plan node that reads the rows of the batch in hand from memory, in place of the scan of the function.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// The scans of a statement that are replaced.
struct BatchScans {
    Oid function; // copy_incremental_batch_rows()
    // The row as a whole is only a copy for rows that are updated concurrently. The node returns NULL for it.
    bool leaves_out_copies;
    Bitmapset *without_copies; // the relations of the replaced scans that should have returned copies
};

// Returns the node that replaces this scan; null if it scans another function, or uses what the node cannot return, such as the
// row as a whole. PostgreSQL code.
Plan *make_batch_scan(const FunctionScan *scan, BatchScans *scans);

// Whether the node is one of make_batch_scan().
bool is_batch_scan(const CustomScan *node) noexcept;

} // namespace pgci
