// The table of runs: what was copied from where, committed together with the rows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/run_failure.hpp"
#include "request/option_list.hpp"
#include "ledger/owner_statement.hpp"
#include "ledger/run_key.hpp"

namespace pgci {

struct RunStatistics {
    std::int64_t rows_read = 0;
    std::int64_t rows_written = 0;
    std::int64_t rows_deleted = 0;
    std::int64_t bytes = 0;   // of values, as they came from the source
    std::int64_t batches = 0; // that had rows
};

struct EarlierRun {
    bool is_partial = false; // only some of its batches are there
    Oid role = InvalidOid;   // who ran it; invalid if it was dropped
    std::string description; // "run 17 of 2018-07-30 01:15:00+00 wrote 1440 rows"
};

struct RunState {
    std::string status;
    RunFailure failure{}; // of one that failed
};

// A row that a run did not load, and why.
struct Reject {
    RunFailure failure;
    std::string row; // a JSON object of texts
};

// The table itself, written with the rights of its owner: who may copy needs no right on it.
class Ledger {
  public:
    // `schema` is the extension's.
    explicit Ledger(Oid schema);

    // The last run of the key whose rows are in the target, whole or in part.
    std::optional<EarlierRun> find_earlier(const RunKey &key) const;
    // Did a run of the key write to the target at this moment or later?
    bool has_written_since(const RunKey &key, TimestampTz moment) const;
    // Did a run of the key write what this transaction does not see? From REPEATABLE READ on that can be.
    bool has_written_unseen(const RunKey &key) const;
    // Begins a run and returns its run_id, which is the one given unless that is 0.
    std::int64_t begin(const RunKey &key, std::string_view mode, std::string_view method,
                       std::int64_t run_id = 0) const;
    // A run_id that no run has.
    std::int64_t draw_run_id() const;
    // Writes how far a run has come; `status` is succeeded, or partial while more is to come.
    void record(std::int64_t run_id, const RunStatistics &statistics, const char *status) const;
    // Writes that a run has failed, whose own entry was rolled back with it.
    void record_failure(const RunKey &key, std::string_view mode, std::string_view method, TimestampTz started_at,
                        const RunFailure &failure) const;
    // The same of a run whose entry is committed already.
    void fail(std::int64_t run_id, const RunFailure &failure) const;
    // Ends such a run that had nothing to do, by on_rerun => 'skip'.
    void end_skipped(std::int64_t run_id) const;
    // May the current user see the runs of a role? His own, those of roles he is a member of, all for the ledger's owner.
    bool may_see_runs_of(Oid role) const;
    // What the newest snapshot has of a run that the current user may see. Raises 42704 for a run that does not exist, 42501 for one of others.
    RunState find_run(std::int64_t run_id) const;
    // Marks the runs whose process has ended before they did. Passes over entries that another transaction has locked.
    // It locks those that it marks, so commit soon.
    void mark_crashed() const;
    // The process of a running run; 0 when there is none.
    int find_process(std::int64_t run_id) const;
    // The places in `windows` of those that are to be copied, by the runs of the same target, source and query.
    std::vector<std::size_t> find_windows(const RunKey &key, const std::vector<Window> &windows,
                                          Reprocess reprocess) const;
    // The places in `windows` of those that no succeeded runs into `target` cover, of whatever source and query.
    std::vector<std::size_t> find_uncovered(Oid target, const std::vector<Window> &windows) const;
    // Records rows that the run did not load.
    void record_rejects(std::int64_t run_id, std::int64_t batch, const std::vector<Reject> &rejects) const;
    // Forgets the runs into `target` of all windows in [start, end), of whole results too when there are no bounds;
    // they stay in the table with status forgotten. Returns how many. Only the target's owner forgets the runs of
    // others.
    std::int64_t forget(Oid target, std::optional<TimestampTz> start, std::optional<TimestampTz> end) const;

  private:
    void add_entry(const RunKey &key, std::string_view mode, std::string_view method, const std::string &columns,
                   const std::string &values, const std::vector<Parameter> &more) const;
    TimestampTz last_written(const RunKey &key, bool latest_snapshot) const;

    Oid table_;
    Oid owner_;
    std::string name_; // schema.table
};

} // namespace pgci
