// Loads windows of several jobs in one transaction.
#pragma once

#include <string>
#include <vector>

#include "many/window_run.hpp"

namespace pgci {

// Loads the windows in their order, as run_window() does in a session, and commits them together: if one of them fails, none is
// loaded, and each result has the failure. If another session is loading one of them, none is. `deferred` are the constraints that
// are checked at the commit, as a list of quoted names; empty for none. After a transient error, all are tried again.
std::vector<WindowResult> run_windows_together(Oid schema, const std::vector<WindowTask> &tasks,
                                               const std::string &deferred, const ProcedureScope &procedure,
                                               ConnectionKeeper &keeper, Retries &retries);

// Returns the failure of a job's window because that of another job, which must be loaded together with it, has failed.
RunFailure failure_of_other(const Job &other, const RunFailure &failure);

} // namespace pgci
