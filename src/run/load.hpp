// The two ways to load a prepared run: by a cursor, batch by batch, or by COPY.
#pragma once

#include "ledger/progress.hpp"
#include "proof/window_comparison.hpp"
#include "run/prepared_run.hpp"
#include "run/run_scope.hpp"

namespace pgci {

// Everything a loader needs: the prepared run, its plan, its ledger entry.
struct LoadRun {
    PreparedRun &prepared;
    LoadPlan &plan;
    const ProcedureScope &procedure;
    const Ledger &ledger;
    std::int64_t run_id = 0;
    const RunProgress &progress; // is told of every batch
    std::int64_t &batch_in_work; // for CONTEXT; 0 = none
    LoadCheck *check = nullptr;  // for verify; null for none
    RunStatistics statistics{};

    const CopyRequest &request() const { return prepared.request(); }
    const Target &target() const { return prepared.target(); }
    // After the last row: compares both sides where that is asked for, and writes the run down, with the window as loaded.
    void record_success();
};

// Methods cursor and bulk. Deletes the slice, then reads and writes batch after batch, and ends the source's transaction. With commit_batches
// every batch is recorded and committed; else the last record is the run's. On return `statistics` are complete.
void load_by_cursor(LoadRun &run);

// Method copy. Deletes the slice, copies all rows, ends the source's transaction and records the run. On return `statistics` are
// complete.
void load_by_copy(LoadRun &run);

} // namespace pgci
