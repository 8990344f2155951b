// What pg_stat_progress_copy, and with it the view copy_incremental_progress, shows of a run while it lasts.
#pragma once

#include "ledger/ledger.hpp"

namespace pgci {

struct ProgressFacts {
    Oid target = InvalidOid;
    std::int64_t job_id = 0; // 0: a call without a job
    std::int64_t run_id = 0;
    std::optional<TimestampTz> window_start{}; // nothing: a whole result
    std::optional<TimestampTz> window_end{};
    std::int64_t estimated_rows = 0; // by the source's planner
};

// PostgreSQL keeps twenty numbers for the command of a process and shows them to those who may see its activity. COPY
// needs the first ones; the view reads ours out of the others, so that there is no shared memory of ours, and nothing is
// left when a process dies.
class RunProgress {
  public:
    explicit RunProgress(const ProgressFacts &facts);
    ~RunProgress();
    RunProgress(const RunProgress &) = delete;
    RunProgress &operator=(const RunProgress &) = delete;

    // To be called for every batch.
    void show(const RunStatistics &statistics) const;

  private:
    ProgressFacts facts_;
    TimestampTz started_at_;
};

} // namespace pgci
