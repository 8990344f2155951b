// Everything a loader needs: the prepared run, its plan, its ledger entry.
#pragma once

#include "ledger/progress.hpp"
#include "proof/load_check.hpp"
#include "run/prepared_run.hpp"
#include "run/run_scope.hpp"

namespace pgci {

struct LoadRun {
    PreparedRun &prepared;
    LoadPlan &plan;
    const ProcedureScope &procedure;
    const Ledger &ledger;
    std::int64_t run_id;
    const RunProgress &progress; // is told of every batch
    std::int64_t &batch_in_work; // for CONTEXT; 0 = none
    LoadCheck *check = nullptr;  // for verify; null for none
    RunStatistics statistics{};

    const CopyRequest &request() const { return prepared.request(); }
    const Target &target() const { return prepared.target(); }
};

} // namespace pgci
