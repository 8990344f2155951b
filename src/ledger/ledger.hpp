// The table of runs: what was copied from where, committed together with the rows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/run_failure.hpp"
#include "ledger/run_history.hpp"

namespace pgci {

struct RunStatistics {
    std::int64_t rows_read = 0;
    std::int64_t rows_written = 0;
    std::int64_t rows_deleted = 0;
    std::int64_t bytes = 0;                    // of values, as they came from the source
    std::int64_t batches = 0;                  // that had rows
    std::optional<bool> is_settled{};          // was the window, when the snapshot was taken? Nothing: not known
    std::optional<std::int64_t> source_rows{}; // that the source counted, where the run was verified
};

// A row that a run did not load, and why.
struct Reject {
    RunFailure failure;
    std::string row; // a JSON object of texts
};

// Writes the table, too, with the rights of its owner: who may copy needs no right on it.
class Ledger : public RunHistory {
  public:
    using RunHistory::RunHistory;

    // What writes the entry of a run raises 55000 if it does not find or make exactly one: the rows of a run whose entry is lost
    // must not be committed.

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
    // Ends one that had nothing to do, by on_rerun => 'skip'.
    void end_skipped(std::int64_t run_id) const;
    // Marks the runs whose process has ended before they did. Passes over entries that another transaction has locked.
    // It locks those that it marks, so commit soon.
    void mark_crashed() const;
    // Records rows that the run did not load.
    void record_rejects(std::int64_t run_id, std::int64_t batch, const std::vector<Reject> &rejects) const;
    // Marks as forgotten the runs into `target` of all windows in [start, end), of whole results too when there are no bounds:
    // those of a job, or for 0 those of calls and of dropped jobs that the user `owner` started, or that any user did if it is
    // invalid. Returns how many.
    std::int64_t forget(Oid target, std::int64_t job_id, Oid owner, std::optional<TimestampTz> start,
                        std::optional<TimestampTz> end) const;

  private:
    void notify_end(std::int64_t run_id) const;
    void write_entries(std::int64_t run_id, const char *table, const std::string &statement,
                       const std::vector<Parameter> &parameters, std::int64_t count) const;
    void add_entry(std::int64_t run_id, const RunKey &key, std::string_view mode, std::string_view method,
                   const std::string &columns, const std::string &values, const std::vector<Parameter> &more) const;
};

} // namespace pgci
