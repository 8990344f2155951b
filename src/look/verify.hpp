// copy_incremental_verify(): compares the rows of a window at the source and in the target.
#pragma once

#include "server/text_rows.hpp"
#include "request/copy_request.hpp"
#include "look/differences.hpp"

namespace pgci {

// Returns one row: matches, source_rows, target_rows, missing, extra, changed. key_columns identify a row, or else the
// primary key. Without either, changed is NULL, and a changed row counts as one missing and one extra row.
std::vector<TextRow> verify_window(const CopyRequest &request);

// Passes the rows that differ to the sink. Without a key, the key is the whole row.
void find_different_rows(const CopyRequest &request, const DifferenceSink &sink);

} // namespace pgci
