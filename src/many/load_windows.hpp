// The use case of catch_up and backfill: loads many windows of jobs, each in a transaction of its own.
#pragma once

#include <vector>

#include "many/window_report.hpp"
#include "many/window_run.hpp"

namespace pgci {

// The windows of a job to load.
struct JobWindows {
    Job job;
    std::vector<Span> windows{};         // in order
    bool looks_back = false;             // apply the option lookback
    bool is_again = false;               // load windows even if they are already loaded
    bool repairs = false;                // write only the rows that differ
    std::string detail{};                // for the job's line in the report
    std::optional<RunFailure> failure{}; // the windows could not be found
};

// Call it in a procedure whose transaction has no changes; it leaves none. `keeper` may have a connection to a source.
class WindowLoader {
  public:
    // Loads with background workers if `workers` is above 1. `hint` is the hint of the error at the end, a string literal.
    WindowLoader(Oid schema, const ProcedureScope &procedure, ConnectionKeeper &keeper, int workers, const char *hint)
        : schema_(schema), procedure_(procedure), keeper_(keeper), workers_(workers), report_(hint) {}

    // Loads the windows, job after job. If a window, a job or a source fails, the others are still loaded. Each failure is recorded in
    // the ledger. If the other windows of a job would fail in the same way, they are not tried.
    void load(std::vector<JobWindows> jobs);
    // If anything failed, raises one error that reports all failures.
    void finish() { report_.finish(); }

    // The steps of load(), for jobs that are not loaded one after the other. Adds a job to the report, and returns its windows.
    std::vector<WindowTask> add(JobWindows job);
    // Loads windows of jobs that were added. Returns those that were not loaded because their snapshot cannot be used any more.
    std::vector<WindowTask> load_tasks(std::vector<WindowTask> tasks);
    // The same for windows that are loaded in one transaction each time, in this session; `deferred` as for run_windows_together().
    std::vector<WindowTask> load_together(const std::vector<std::vector<WindowTask>> &units,
                                          const std::string &deferred);
    // Why they were not.
    const RunFailure &lost_snapshot() const { return *lost_snapshot_; }
    // Reports the end of a window to the user, and records a failure in the ledger.
    void report(const WindowTask &task, const WindowResult &result);

    const Job &job(const WindowTask &task) const { return jobs_[task.job].job; }
    bool has_stopped(const WindowTask &task) const { return report_.has_stopped(task.job); }
    Oid schema() const { return schema_; }
    const ProcedureScope &procedure() const { return procedure_; }
    ConnectionKeeper &keeper() const { return keeper_; }
    Retries &retries() { return retries_; }

  private:
    void record(const WindowTask &task, const WindowResult &result);
    void run_here(const WindowTask &task);
    void load_in_workers(std::vector<WindowTask> tasks);
    bool must_be_in_order(const WindowTask &task) const;
    void say_in_order(const std::vector<WindowTask> &tasks) const;
    std::size_t find_followers(std::vector<WindowTask> &tasks) const;
    std::string name_jobs(const std::vector<WindowTask> &tasks) const;

    Oid schema_;
    const ProcedureScope &procedure_;
    ConnectionKeeper &keeper_;
    int workers_;
    Retries retries_{};
    std::vector<JobWindows> jobs_{};
    std::vector<WindowTask> left_{}; // because their snapshot was lost
    std::optional<RunFailure> lost_snapshot_{};
    WindowReport report_;
};

} // namespace pgci
