// The use case: many windows of jobs, each in a transaction of its own.
#pragma once

#include <vector>

#include "many/window_run.hpp"

namespace pgci {

// What is to be loaded of a job.
struct JobWindows {
    Job job;
    std::vector<TimeSpan> windows{};     // in their order
    bool looks_back = false;             // by the option lookback; else the windows are loaded without it
    bool is_again = false;               // windows are loaded even if they are loaded already
    std::string detail{};                // of the job's line in the report
    std::optional<RunFailure> failure{}; // the windows could not be found
};

// Loads the windows, job after job, with background workers where `workers` is above 1. A window, a job or a source that fails
// stops no other; each failure is recorded in the ledger, and at the end they are raised as one error, with `hint`. After a
// failure of a job that its other windows would have too, they are not tried. Called in a procedure whose transaction has
// nothing of its own; leaves it so.
void load_windows(Oid schema, const ProcedureScope &procedure, std::vector<JobWindows> jobs, int workers,
                  const char *hint);

} // namespace pgci
