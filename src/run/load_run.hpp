// A run that has taken its place and knows its way: what its loader works with.
#pragma once

#include "request/copy_request.hpp"
#include "ledger/ledger.hpp"
#include "ledger/progress.hpp"
#include "target/load_plan.hpp"
#include "proof/load_check.hpp"
#include "run/run_scope.hpp"

namespace pgci {

struct LoadRun {
    const CopyRequest &request;
    const ProcedureScope &procedure;
    SourceSession &source;
    const SourceQuery &query;
    const std::vector<SourceColumn> &columns; // of the query
    const std::string &slice;
    Target &target;
    LoadPlan &plan;
    const TimeZone &zone;
    const Ledger &ledger;
    const RunProgress &progress; // to be told of every batch
    std::int64_t run_id;
    std::int64_t &batch_in_work; // for CONTEXT; 0 = none
    LoadCheck *check = nullptr;  // for verify; null for none
    RunStatistics statistics{};

    // At the begin of a later transaction, before it writes: locks the target and plans again, for what has become of it. Raises
    // 42P01 for a target that was dropped or replaced, and 55000 where the batches would have to be others.
    void look_again() {
        target.open_again();
        replan(plan, request, columns, target, slice);
    }
};

} // namespace pgci
