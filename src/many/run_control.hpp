// Runs that outlive the session which started them.
#pragma once

#include <optional>

#include "template/window.hpp"

namespace pgci {

// Launches a background worker that loads a window of a job, and returns the run_id once the worker has connected to the source,
// checked everything and put the run into the ledger. Raises what the check raises, which the ledger then has as a run that
// failed, and 53000 without a free slot.
std::int64_t start_run(Oid schema, std::int64_t job_id, TimeSpan span);

// Waits for the end of a run, at most so many milliseconds (nothing: as long as it takes). False when it is still
// running then; a standby cannot tell a run that crashed from one that runs. Raises the error of a run that failed, 57P02
// for one that crashed, and what RunHistory::find_run raises.
bool wait_for_run(Oid schema, std::int64_t run_id, std::optional<std::int64_t> milliseconds);

// Cancels a run; false when it is not running any more. Raises what RunHistory::find_run raises, and 25006 on a standby.
bool cancel_run(Oid schema, std::int64_t run_id);

} // namespace pgci
