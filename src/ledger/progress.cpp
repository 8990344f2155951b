#include "ledger/progress.hpp"

#include "server/guard.hpp"

namespace pgci {

namespace {

// Positions among the twenty numbers, from 0. The definition of the view counts them from 1.
enum Slot : int {
    slot_snapshot_at = 7,
    slot_activity,
    slot_job_id = 9, // 0 for a call without a job
    slot_mark,       // distinguishes a run from a COPY
    slot_run_id,
    slot_window_kind, // 0 for a whole result, 1 for time, 2 for ids
    slot_window_start,
    slot_window_end,
    slot_started_at,
    slot_batches,
    slot_estimated_rows,
    slot_rows_written,
    slot_leader, // the process that launched this background worker, or 0
};

constexpr std::int64_t mark = 7163797;

// PostgreSQL code.
void show_numbers(const ProgressFacts &facts, Activity activity, TimestampTz started_at, std::int64_t estimated_rows,
                  const RunStatistics &statistics) {
    // A statement of a trigger, or a COPY of Citus, may have reported its own progress since the last call.
    if (MyBEEntry != nullptr && (MyBEEntry->st_progress_command != PROGRESS_COMMAND_COPY ||
                                 MyBEEntry->st_progress_command_target != facts.target))
        pgstat_progress_start_command(PROGRESS_COMMAND_COPY, facts.target);
    const int slots[] = {PROGRESS_COPY_BYTES_PROCESSED,
                         PROGRESS_COPY_TUPLES_PROCESSED,
                         PROGRESS_COPY_COMMAND,
                         PROGRESS_COPY_TYPE,
                         slot_snapshot_at,
                         slot_activity,
                         slot_job_id,
                         slot_run_id,
                         slot_window_kind,
                         slot_window_start,
                         slot_window_end,
                         slot_started_at,
                         slot_batches,
                         slot_estimated_rows,
                         slot_rows_written,
                         slot_leader,
                         slot_mark};
    const int64 values[] = {statistics.bytes,
                            statistics.rows_read,
                            PROGRESS_COPY_COMMAND_FROM,
                            PROGRESS_COPY_TYPE_CALLBACK,
                            facts.snapshot_at,
                            static_cast<int64>(activity),
                            facts.job_id,
                            facts.run_id,
                            !facts.window               ? 0
                            : facts.window->is_of_ids() ? 2
                                                        : 1,
                            facts.window ? facts.window->start() : 0,
                            facts.window ? facts.window->end() : 0,
                            started_at,
                            statistics.batches,
                            estimated_rows,
                            statistics.rows_written,
                            MyBgworkerEntry != nullptr ? MyBgworkerEntry->bgw_notify_pid : 0,
                            mark};
    static_assert(std::size(slots) == std::size(values));
    pgstat_progress_update_multi_param(static_cast<int>(std::size(slots)), slots, values);
}

} // namespace

ShownWait::ShownWait(const ProgressFacts &facts, Activity activity) {
    pg_call([&] { show_numbers(facts, activity, GetCurrentTimestamp(), 0, {}); });
}

ShownWait::~ShownWait() { pgstat_progress_end_command(); }

RunProgress::RunProgress(ProgressFacts facts) : facts_(std::move(facts)), started_at_(GetCurrentTimestamp()) {
    show({});
}

RunProgress::~RunProgress() { pgstat_progress_end_command(); }

void RunProgress::show(const RunStatistics &statistics) const {
    pg_call([&] { show_numbers(facts_, Activity::copies, started_at_, estimated_rows_, statistics); });
}

void RunProgress::change(Activity activity) {
    pg_call([=] { pgstat_progress_update_param(slot_activity, static_cast<int64>(activity)); });
}

} // namespace pgci
