// copy_incremental_verify(): compares the rows of a window at the source and in the target.
#pragma once

#include "server/text_rows.hpp"
#include "request/copy_request.hpp"
#include "ledger/job_windows.hpp"
#include "look/differences.hpp"

namespace pgci {

// Returns a row: day, data_interval, id_range, matches, source_rows, target_rows, missing, extra, changed. key_columns identify a row, or
// else the primary key. Without either, changed is NULL, and a changed row counts as one missing and one extra row.
TextRow verify_window(const CopyRequest &request);

// Passes such a row to the sink for each window that overlaps the days or ids.
void verify_windows(const Job &job, const CopyRequest &request, const NamedWindows &named,
                    const std::function<void(const TextRow &)> &sink);

// Passes the rows that differ to the sink. Without a key, the key is the whole row.
void find_different_rows(const CopyRequest &request, const DifferenceSink &sink);

} // namespace pgci
