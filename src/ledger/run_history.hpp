// What the table of runs says of the runs before: earlier ones of a window, running ones, windows that are missing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/process_lock.hpp"
#include "server/run_failure.hpp"
#include "ledger/owner_statement.hpp"
#include "ledger/run_key.hpp"

namespace pgci {

// The runs whose rows of a window are in the target already, completely or in part.
struct LoadedRuns {
    std::int64_t count = 0;
    bool is_loaded = false;         // complete runs cover the window
    bool is_covered = false;        // complete runs of windows that were settled, as far as that is known, cover it
    bool are_of_same_call = false;  // one of them is of the same job, or none is of a job and one has the same query
    bool are_of_same_query = false; // one of them has the same query
    std::string description{};      // of the last ones: "run 17 of 2018-07-30 01:15:00+00 wrote 1440 rows"
    std::vector<Oid> owners{};      // of all; invalid for a role that was dropped
    std::int64_t rejecting = 0;     // the last one with rejected rows that are not loaded; 0 if there is none
};

struct RunState {
    std::string status;
    RunFailure failure{}; // of one that failed
};

// Reads the table with the rights of its owner: who may copy needs no right on it.
// Instead of a time zone. No time zone has this name.
inline constexpr const char *no_zone = "-";

class RunHistory {
  public:
    // `schema` is the extension's.
    explicit RunHistory(Oid schema);

    // The runs of windows that overlap that of the key, from the same source into the same target, which may have loaded the
    // same rows: those of the same job; those of the same query; and, unless both are of jobs, those that read one of the same
    // tables.
    LoadedRuns find_loaded(const RunKey &key) const;
    // Returns the last run after this one that has loaded rows of the same job or query whose window overlaps, or has replaced or
    // repaired them from the same tables of the source, apart from retries of rejected rows; 0 if there is none.
    std::int64_t find_later_run(const RunKey &key, std::int64_t run_id) const;
    // The time zones of the local times that runs of the same rows by the same query, or of the same job, have read, in windows
    // around the key's; `no_zone` for a run of the same query whose column had a time zone, or that did not know.
    std::vector<std::string> find_column_zones(const RunKey &key) const;
    // Was it not known of a run into the target within a day before now whether its window was settled?
    bool has_doubted_today(const RunKey &key) const;
    // Did a run whose window overlaps that of the key write to the target, or to another partition of its table, at this moment or
    // later? Runs that have read the key's snapshot do not count.
    bool has_written_since(const RunKey &key, TimestampTz moment) const;
    // Did a run of another transaction whose window overlaps write to the target, or to a partition or parent of it, since this
    // transaction began?
    bool has_written_since_begin(const RunKey &key) const;
    // How many runs whose window overlaps have rows in the target, or in a partition or parent of it: those that any new snapshot
    // shows, or those that this transaction sees.
    std::int64_t count_written(const RunKey &key, bool latest_snapshot) const;
    // Did a run into the target, or into a partition or parent of it, write what this transaction does not see? From REPEATABLE
    // READ on that can be.
    bool has_written_unseen(const RunKey &key) const;
    // May the current user see the runs of a role? His own, those of roles he is a member of, all for the ledger's owner.
    bool may_see_runs_of(Oid role) const;
    // What the newest snapshot has of a run that the current user may see. Raises 42704 for a run that does not exist,
    // 42501 for one of others.
    RunState find_run(std::int64_t run_id) const;
    // The process of a running run; 0 when there is none.
    int find_process(std::int64_t run_id) const;
    // The places in `windows` of those whose last run of the job failed or crashed, or wrote only a part.
    std::vector<std::size_t> find_failed(std::int64_t job_id, WindowKind kind, const std::vector<Span> &windows) const;

  protected:
    const OwnTable &table() const { return table_; }
    // The extension's.
    Oid schema() const { return schema_; }

  private:
    TimestampTz last_written(const RunKey &key, const std::vector<std::string> &tables, bool latest_snapshot,
                             const std::string &snapshot = {}) const;

    Oid schema_;
    OwnTable table_;
};

// $1 to $9 of a statement about a key: target, source, query, window of time, window of ids, job, and what else tells sources and
// queries apart.
std::vector<Parameter> key_parameters(const RunKey &key);
// A condition with these parameters: the runs of the same job, or calls of the same query, of exactly the same window.
std::string of_same_window(const RunKey &key);
// As pg_locks shows it.
Parameter lock_class_parameter(LockClass lock_class);

} // namespace pgci
