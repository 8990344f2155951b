// Reports the progress of a run to pg_stat_progress_copy and so to the view copy_incremental_progress.
#pragma once

#include "ledger/ledger.hpp"

namespace pgci {

struct ProgressFacts {
    Oid target = InvalidOid;
    std::int64_t job_id = 0; // 0 for a call without a job
    std::int64_t run_id = 0;
    std::optional<Window> window{}; // nothing for a whole result
    TimestampTz snapshot_at = 0;    // when the snapshot of the source was taken; 0 if there is none
};

// What a process does, in the column `state` of the view.
enum class Activity : std::int8_t { copies, waits_for_connection, waits_to_retry, waits_for_replicas };

// Shows, during its lifetime, that a run waits. It has no run_id yet, and no other progress is shown.
class ShownWait {
  public:
    ShownWait(const ProgressFacts &facts, Activity activity);
    ~ShownWait();
    ShownWait(const ShownWait &) = delete;
    ShownWait &operator=(const ShownWait &) = delete;
};

// PostgreSQL keeps twenty numbers for the command of each process, and shows them to users who may see its activity. COPY
// uses the first numbers. This class writes the others, and the view reads them. So the extension needs no shared memory, and
// nothing remains when a process dies.
class RunProgress {
  public:
    explicit RunProgress(ProgressFacts facts);
    ~RunProgress();
    RunProgress(const RunProgress &) = delete;
    RunProgress &operator=(const RunProgress &) = delete;

    // Whether a user can see the progress.
    static bool is_shown() { return pgstat_track_activities; }
    // The number of rows that the planner of the source expects.
    void expect(std::int64_t rows) noexcept { estimated_rows_ = rows; }
    // Call it after every batch.
    void show(const RunStatistics &statistics) const;
    // Shows what the run does now, besides its counts.
    static void change(Activity activity);

  private:
    ProgressFacts facts_;
    std::int64_t estimated_rows_ = 0;
    TimestampTz started_at_;
};

} // namespace pgci
