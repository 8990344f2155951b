// Writes the table of runs: what was copied from where. An entry is committed together with the rows of its run.
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
    std::int64_t bytes = 0;                    // of the values, as the source sent them
    std::int64_t batches = 0;                  // with at least one row
    std::optional<bool> is_settled{};          // whether the window was settled at the snapshot; nothing: unknown
    std::optional<std::int64_t> source_rows{}; // counted by the source, if the run was verified
    std::int64_t rejects = 0;                  // rows that were rejected
    std::string ddl{};                         // the statements that have created or changed the target
};

// A row that a run did not load, and why.
struct Reject {
    std::int64_t number = 0; // among those of the run, from 1 on
    RunFailure failure{};
    std::string row{};    // a JSON object of texts
    bool is_whole = true; // it has all values of the row
};

// Reads and writes the table of runs with the privileges of its owner, so that callers need none.
class Ledger : public RunHistory {
  public:
    using RunHistory::RunHistory;

    // Each function that writes the entry of a run raises 55000 if it does not write exactly one: the rows of a run whose entry
    // is lost must not be committed.

    // Writes the entry of a run that begins, and returns its run_id. This is the one that is passed, or a new one for 0.
    std::int64_t begin(const RunKey &key, std::string_view mode, std::string_view method,
                       std::int64_t run_id = 0) const;
    // Returns a new run_id.
    std::int64_t draw_run_id() const;
    // Writes the progress of a run. `status` is succeeded, or partial while more batches follow.
    void record(std::int64_t run_id, const RunStatistics &statistics, const char *status) const;
    // Writes an entry for a run that failed and whose own entry was rolled back.
    void record_failure(const RunKey &key, std::string_view mode, std::string_view method, TimestampTz started_at,
                        const RunFailure &failure) const;
    // Marks a run as failed whose entry is already committed.
    void fail(std::int64_t run_id, const RunFailure &failure) const;
    // Ends a run that loaded nothing because of on_rerun => 'skip'.
    void end_skipped(std::int64_t run_id) const;
    // Marks runs as crashed whose process ended before they did. Skips entries that another transaction has locked. It locks
    // the entries that it marks, so commit soon.
    void mark_crashed() const;
    // Records rows that the run did not load.
    void record_rejects(std::int64_t run_id, std::int64_t batch, const std::vector<Reject> &rejects) const;
    // Forgets what runs into these tables, OIDs as texts, have loaded of the windows of a kind within the bounds, and marks a run
    // as forgotten when nothing else is left of its window; without bounds, all other runs too. These are the runs of a job; or, if
    // job_id is 0, the runs of calls and of dropped jobs that the user `owner` started, or that any user started if `owner` is
    // invalid: of the query with this hash, if it is not empty. Returns the number of runs.
    struct Bounds {
        std::optional<std::int64_t> start{};
        std::optional<std::int64_t> end{};
    };
    std::int64_t forget(const std::vector<std::string> &tables, std::int64_t job_id, Oid owner, WindowKind kind,
                        const Bounds &bounds, const std::string &query_hash = "") const;

  private:
    void notify_end(std::int64_t run_id) const;
    void write_entries(std::int64_t run_id, const char *table, const std::string &statement,
                       const std::vector<Parameter> &parameters, std::int64_t count) const;
    void add_entry(std::int64_t run_id, const RunKey &key, std::string_view mode, std::string_view method,
                   const std::string &columns, const std::string &values, const std::vector<Parameter> &more) const;
};

} // namespace pgci
