// What a call that loads many windows tells its user: a line for each job, and at the end what failed.
#pragma once

#include <string>
#include <vector>

#include "many/window_run.hpp"

namespace pgci {

class WindowReport {
  public:
    // `hint` is that of the error, a literal.
    explicit WindowReport(const char *hint) : hint_(hint) {}

    // A job of which so many windows are to be loaded; jobs have places in this order. `detail` is of the job's line.
    void add_job(const std::string &name, std::size_t windows, const std::string &detail);

    // A window has ended: a line at DEBUG1, or a WARNING for one that failed. The last one of a job is followed by its line
    // "job "users": 3 windows, 4320 rows". False if the failure is that for which the job was stopped before, which is told
    // once.
    bool add(std::size_t job, const std::string &window, const WindowResult &result);
    // A job of which no window could be found.
    void add_failure(std::size_t job, const RunFailure &failure);
    // Are the windows left alone that nobody has taken?
    bool has_stopped(std::size_t job) const { return jobs_[job].has_stopped; }

    // Tells what is left of the jobs, and raises an error that names what failed, in its order, with the SQLSTATE of the
    // first.
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
        std::string window; // empty: none was found
        RunFailure failure;
    };

    void tell(JobLine &job);
    void keep(Failed failed);
    std::string describe(const Failed &failed) const;

    const char *hint_;
    std::vector<JobLine> jobs_{};
    static constexpr std::size_t most_shown = 20;
    std::size_t failures_ = 0;
    std::vector<Failed> failed_{}; // the first of them, in their order
};

} // namespace pgci
