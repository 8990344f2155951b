// Starts, waits for and cancels runs that outlive the session that started them.
#pragma once

#include <optional>

#include "template/window.hpp"

namespace pgci {

// Launches a background worker that loads a window of a job. Returns the run_id after the worker has connected to the source,
// checked everything and recorded the run in the ledger. Raises the errors of the check, which the ledger then has as a
// failed run, and 53000 if no slot is free.
std::int64_t start_run(Oid schema, std::int64_t job_id, Span span);

// Waits until a run ends, at most the given number of milliseconds; without it, there is no limit. Returns false if the run
// has not ended by then. A standby cannot distinguish a crashed run from a running one. Raises the error of a failed run,
// 57P02 for a crashed one, and what RunHistory::find_run raises.
bool wait_for_run(Oid schema, std::int64_t run_id, std::optional<std::int64_t> milliseconds);

// Cancels a run. Returns false if it is not running any more. Raises what RunHistory::find_run raises, and 25006 on a standby.
bool cancel_run(Oid schema, std::int64_t run_id);

} // namespace pgci
