// copy_incremental_verify(): are the rows of a window at the source those in the target?
#pragma once

#include "server/text_rows.hpp"
#include "request/copy_request.hpp"
#include "look/differences.hpp"

namespace pgci {

// One row: matches, source_rows, target_rows, missing, extra, changed. Rows are told apart by key_columns, else by the
// primary key; without either, changed is NULL, and a changed row is one missing and one extra.
std::vector<TextRow> verify_window(const CopyRequest &request);

// Gives the rows that differ to the sink; where there is no key, the key is the whole row.
void find_different_rows(const CopyRequest &request, const DifferenceSink &sink);

} // namespace pgci
