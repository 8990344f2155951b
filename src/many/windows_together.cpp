#include "many/windows_together.hpp"

#include "server/spi.hpp"
#include "server/subtransaction.hpp"
#include "ledger/run_lock.hpp"

namespace pgci {

namespace {

// An attempt to load the windows.
struct Attempt {
    std::vector<WindowResult> results;
    std::vector<std::optional<Job>> jobs; // as far as they were found
    std::optional<RunFailure> failure{};
    std::size_t at_work = 0; // the window that failed; the number of windows for the commit
};

void defer(const std::string &constraints) {
    if (constraints.empty()) return;
    const std::string sql = "SET CONSTRAINTS " + constraints + " DEFERRED";
    pg_call([text = sql.c_str()] {
        spi_connect();
        if (const int code = SPI_execute(text, false, 0); code < 0) raise_spi("SPI_execute", code);
        spi_finish();
    });
}

// Marks the windows before anything is written. Returns false if another session is loading one of them.
bool mark_all(Oid schema, const std::vector<WindowTask> &tasks, Attempt &attempt) {
    for (attempt.at_work = 0; attempt.at_work < tasks.size(); ++attempt.at_work) {
        const WindowTask &task = tasks[attempt.at_work];
        attempt.results[attempt.at_work].stops_job = true; // for errors before the window is loaded
        const Job job = Jobs(schema).find(task.job_id);
        attempt.results[attempt.at_work].stops_job = false;
        if (!mark_windows(job.id, job.grid(), task.span)) return false;
    }
    return true;
}

void load_all(Oid schema, const std::vector<WindowTask> &tasks, const std::string &deferred, ConnectionKeeper &keeper,
              Attempt &attempt) {
    if (!mark_all(schema, tasks, attempt)) {
        for (WindowResult &result : attempt.results) result.end = WindowEnd::is_busy;
        return;
    }
    defer(deferred);
    for (attempt.at_work = 0; attempt.at_work < tasks.size(); ++attempt.at_work)
        load_window(schema, tasks[attempt.at_work], keeper, attempt.results[attempt.at_work],
                    attempt.jobs[attempt.at_work]);
}

// The others would fail in the same way, or could not be committed without the one that has failed.
void fail_all(Attempt &attempt) {
    const bool is_of_commit = attempt.at_work == attempt.results.size();
    const std::optional<Job> &failed = attempt.jobs[is_of_commit ? 0 : attempt.at_work];
    const bool stops =
        stops_jobs(*attempt.failure, failed) || (!is_of_commit && attempt.results[attempt.at_work].stops_job);
    for (std::size_t i = 0; i < attempt.results.size(); ++i) {
        WindowResult &result = attempt.results[i];
        result.end = WindowEnd::failed;
        result.stops_job = stops;
        result.rows_written = 0;
        const bool is_of_other = !is_of_commit && i != attempt.at_work && attempt.jobs[attempt.at_work] &&
                                 !has_lost_snapshot(*attempt.failure);
        result.failure =
            is_of_other ? failure_of_other(*attempt.jobs[attempt.at_work], *attempt.failure) : *attempt.failure;
    }
}

Attempt try_windows(Oid schema, const std::vector<WindowTask> &tasks, const std::string &deferred,
                    const ProcedureScope &procedure, ConnectionKeeper &keeper) {
    Attempt attempt{.results = std::vector<WindowResult>(tasks.size()),
                    .jobs = std::vector<std::optional<Job>>(tasks.size())};
    for (WindowResult &result : attempt.results) result.started_at = GetCurrentTimestamp();
    attempt.failure =
        try_and_commit(procedure, Runner::session, [&] { load_all(schema, tasks, deferred, keeper, attempt); });
    if (attempt.failure) fail_all(attempt);
    for (WindowResult &result : attempt.results) result.ended_at = GetCurrentTimestamp();
    return attempt;
}

} // namespace

RunFailure failure_of_other(const Job &other, const RunFailure &failure) {
    RunFailure mine = failure;
    mine.message = "the same window of job \"" + other.name +
                   "\", which is loaded in the same transaction, failed: " + failure.message;
    return mine;
}

std::vector<WindowResult> run_windows_together(Oid schema, const std::vector<WindowTask> &tasks,
                                               const std::string &deferred, const ProcedureScope &procedure,
                                               ConnectionKeeper &keeper, Retries &retries) {
    for (int attempts = 1;; ++attempts) {
        Attempt attempt = try_windows(schema, tasks, deferred, procedure, keeper);
        if (!attempt.failure) return std::move(attempt.results);
        const std::size_t failed = attempt.at_work < tasks.size() ? attempt.at_work : 0;
        const std::optional<Job> &job = attempt.jobs[failed];
        const std::optional<long> pause =
            job ? retries.pause_after(*attempt.failure, *job, attempts) : std::optional<long>{};
        if (!pause) return std::move(attempt.results);
        keeper.close();
        (void)pause_before_retry(
            schema, {*job, tasks[failed].span, attempt.results[failed].started_at, attempts, *attempt.failure}, *pause,
            procedure, Runner::session);
    }
}

} // namespace pgci
