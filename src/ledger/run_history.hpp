// What the table of runs says of the runs before: earlier ones of a window, running ones, windows that are missing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/run_failure.hpp"
#include "ledger/owner_statement.hpp"
#include "ledger/run_key.hpp"

namespace pgci {

struct EarlierRun {
    bool is_partial = false; // only some of its batches are there
    Oid role = InvalidOid;   // who ran it; invalid if it was dropped
    std::string description; // "run 17 of 2018-07-30 01:15:00+00 wrote 1440 rows"
};

struct RunState {
    std::string status;
    RunFailure failure{}; // of one that failed
};

// Reads the table with the rights of its owner: who may copy needs no right on it.
class RunHistory {
  public:
    // `schema` is the extension's.
    explicit RunHistory(Oid schema);

    // The last run of the key whose rows are in the target, whole or in part.
    std::optional<EarlierRun> find_earlier(const RunKey &key) const;
    // The time zones of the local times that runs of the key's target, source and query have read, in windows around the key's.
    std::vector<std::string> find_column_zones(const RunKey &key) const;
    // Did a run of the key write to the target at this moment or later?
    bool has_written_since(const RunKey &key, TimestampTz moment) const;
    // Did a run of the key write what this transaction does not see? From REPEATABLE READ on that can be.
    bool has_written_unseen(const RunKey &key) const;
    // May the current user see the runs of a role? His own, those of roles he is a member of, all for the ledger's owner.
    bool may_see_runs_of(Oid role) const;
    // What the newest snapshot has of a run that the current user may see. Raises 42704 for a run that does not exist,
    // 42501 for one of others.
    RunState find_run(std::int64_t run_id) const;
    // The process of a running run; 0 when there is none.
    int find_process(std::int64_t run_id) const;
    // The places in `windows` of those whose last run of the job failed or crashed, or wrote only a part.
    std::vector<std::size_t> find_failed(std::int64_t job_id, const std::vector<Window> &windows) const;

  protected:
    const OwnTable &table() const { return table_; }
    // The extension's.
    Oid schema() const { return schema_; }

  private:
    TimestampTz last_written(const RunKey &key, bool latest_snapshot) const;

    Oid schema_;
    OwnTable table_;
};

// The interval of parameters $n and $n+1 of a statement; NULL, where they are.
std::string interval_parameter(int n);
// $1 to $6 of a statement that speaks of a key: target, source, query, window and job.
std::vector<Parameter> key_parameters(const RunKey &key);
// A WHERE clause with these parameters: the runs of exactly the same window.
std::string of_same_window(const RunKey &key);
// As pg_locks shows it.
Parameter lock_class_parameter(LockClass lock_class);

} // namespace pgci
