// One day of many: a transaction of its own, whose failure is recorded and stops nothing else.
#pragma once

#include "backfill_report.hpp"
#include "copy_request.hpp"
#include "run_scope.hpp"

namespace pgci {

// Copies the request's window and commits; on an error nothing of it is written but an entry "failed" in the ledger. A
// cancel is rethrown.
DayResult run_day(const CopyRequest &request, const RunKey &key, const ProcedureScope &transactions);

} // namespace pgci
