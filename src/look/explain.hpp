// copy_incremental_explain(): what a run would do, statement by statement, and what would keep it from doing so.
#pragma once

#include "server/text_rows.hpp"
#include "ledger/jobs.hpp"

namespace pgci {

// Rows of an item and its value: job, what it has to load, window, target, statements, the source's plan and estimate, missing privileges, warnings,
// and errors that the run would raise. Reads no row of source or target and writes nothing.
std::vector<TextRow> explain_run(const Job &job, const CopyRequest &request);

} // namespace pgci
