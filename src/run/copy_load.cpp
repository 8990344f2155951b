#include "run/copy_load.hpp"

#include "rows/copy_writer.hpp"

namespace pgci {

void load_by_copy(LoadRun &run) {
    const CopyPlan plan = plan_copy(run.plan.map, run.target(), run.plan.statements.insert);
    CopyWriter writer(run.target(), run.plan, plan, run.prepared.zone());
    SourceCopy data(run.prepared.source(), run.prepared.query(), plan);
    RunStatistics &statistics = run.statistics;
    statistics.rows_deleted = writer.remove();
    statistics.rows_written = writer.write(data, run.progress);
    data.finish();
    writer.finish();
    if (run.check != nullptr) run.check->compare();
    statistics.rows_read = data.rows();
    statistics.bytes = data.bytes();
    statistics.batches = statistics.rows_read > 0 ? 1 : 0;
    run.ledger.record(run.run_id, statistics, "succeeded");
    run.procedure.commit();
}

} // namespace pgci
