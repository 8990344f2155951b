// The messages of a call that loads many windows: a line for each job, and at the end the failures.
#pragma once

#include <string>
#include <vector>

#include "many/window_run.hpp"

namespace pgci {

class WindowReport {
  public:
    // `hint` is the hint of the error, a string literal.
    explicit WindowReport(const char *hint) : hint_(hint) {}

    // Adds a job and the number of its windows to load, and returns the number of the job. `detail` is added to the job's line.
    std::size_t add_job(const std::string &name, std::size_t windows, const std::string &detail);

    // Reports the end of a window at DEBUG1, or as a WARNING if it failed. After the last window of a job, reports its line
    // "job "users": 3 windows, 4320 rows". Returns false for a failure that has already stopped the job: it is reported once.
    bool add(std::size_t job, const std::string &window, const WindowResult &result);
    // Reports that the windows of a job could not be determined.
    void add_failure(std::size_t job, const RunFailure &failure);
    // Whether the remaining windows of the job are not tried.
    bool has_stopped(std::size_t job) const { return jobs_[job].has_stopped; }

    // Reports the jobs that have no line yet. If anything failed, raises an error that lists the failures in order, with the
    // SQLSTATE of the first.
    void finish();

  private:
    struct JobLine {
        std::string name;
        std::string detail;
        std::size_t windows = 0;
        std::size_t ended = 0;
        std::size_t loaded = 0;
        std::size_t busy = 0;
        std::size_t failed = 0;
        std::int64_t rows = 0;
        bool has_stopped = false;
        bool is_told = false;
    };
    struct Failed {
        std::size_t job;
        std::string window; // empty if none was determined
        RunFailure failure;
    };

    void tell(JobLine &job);
    void keep(Failed failed);
    std::string describe(const Failed &failed) const;
    std::string describe_failed_jobs() const;

    const char *hint_;
    std::vector<JobLine> jobs_{};
    static constexpr std::size_t most_shown = 20;
    std::size_t failures_ = 0;
    std::vector<Failed> failed_{}; // the first failures, in order
};

} // namespace pgci
