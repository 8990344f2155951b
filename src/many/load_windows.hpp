// The use case of catch_up and backfill: loads many windows of jobs, each in a transaction of its own.
#pragma once

#include <vector>

#include "many/window_run.hpp"

namespace pgci {

// The windows of a job to load.
struct JobWindows {
    Job job;
    std::vector<Span> windows{};         // in order
    bool looks_back = false;             // apply the option lookback
    bool is_again = false;               // load windows even if they are already loaded
    bool repairs = false;                // write only the rows that differ
    std::string detail{};                // for the job's line in the report
    std::optional<RunFailure> failure{}; // the windows could not be found
};

// Loads the windows, job after job, with background workers if `workers` is above 1. If a window, a job or a source fails,
// the others are still loaded. Each failure is recorded in the ledger, and at the end one error with `hint` reports them all.
// If the other windows of a job would fail in the same way, they are not tried. Call it in a procedure whose transaction has
// no changes; it leaves none. `keeper` may have a connection to a source.
void load_windows(Oid schema, const ProcedureScope &procedure, ConnectionKeeper &keeper, std::vector<JobWindows> jobs,
                  int workers, const char *hint);

} // namespace pgci
