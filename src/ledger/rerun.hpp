// What the ledger says to a run that wants to begin.
#pragma once

#include "request/copy_request.hpp"
#include "ledger/run_history.hpp"

namespace pgci {

// May the run begin? If a window that overlaps was loaded before, mode append raises PI001, issues a NOTICE and does nothing
// (false), or issues a WARNING and continues, as on_rerun says; the other modes do not double rows. Mode replace raises 40001
// in a transaction whose snapshot is older than the last run of an overlapping window. `window` is the window in messages.
bool may_begin(const CopyRequest &request, const RunHistory &history, const RunKey &key, const std::string &window);

// Raises 22023 if earlier runs have read the same column as local times of another time zone, so that this window may have rows
// that are loaded already, which mode append must not load again (on_rerun => 'run' does); or, of the window_column of a call, if
// they have read local times and this run does not, or the reverse.
void check_column_zone(const CopyRequest &request, const RunHistory &history, const RunKey &key, const TimeZone &zone);

} // namespace pgci
