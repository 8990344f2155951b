// Loads a prepared run: by a cursor, batch by batch, or by COPY.
#pragma once

#include "ledger/progress.hpp"
#include "rows/row_writer.hpp"
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
    RunProgress &progress;       // updated after every batch
    std::int64_t &batch_in_work; // for the error context; 0 if none
    LoadCheck *check = nullptr;  // for verify; null without it
    // For a repair, null or empty otherwise:
    const SourceQuery *rows_to_write = nullptr;   // instead of the query of the run
    std::optional<std::int64_t> announced_rows{}; // the number of these rows that the source has counted
    StatementScope *statement = nullptr;          // has begun, and ends after the last row
    RunStatistics statistics{};
    std::int64_t dropped_rows = 0; // for which the executor says that a trigger has returned NULL

    const CopyRequest &request() const { return prepared.request(); }
    const Target &target() const { return prepared.target(); }
    const SourceQuery &query() const { return rows_to_write != nullptr ? *rows_to_write : prepared.query(); }
    // Call it when all triggers of the transaction that deletes the slice have fired. Raises 44000 if they added rows to it.
    void check_slice() const;
    // Call it after the last row. Compares both sides if the request asks for it, records the run, and adds the window to the
    // coverage.
    void record_success();
};

// Method cursor. Deletes the slice, reads and writes batch after batch, and ends the transaction at the source.
// Records the run after the last batch; with commit_batches, records and commits after every batch. On return, `statistics`
// are complete.
void load_by_cursor(LoadRun &run);

// Method copy. Deletes the slice, copies all rows, ends the transaction at the source and records the run. On return,
// `statistics` are complete.
void load_by_copy(LoadRun &run);

} // namespace pgci
