// The states of a window:
//
//     to do --> running --> loaded    one transaction committed its rows, its entry "succeeded" in the ledger and its coverage
//                      |--> failed    no row is committed; the ledger has an entry "failed" with SQLSTATE and message
//                      \--> busy      another session is loading it
//
// If `workers` is above 1, background workers take the windows one by one. This session records their results. It loads the
// windows that the workers leave, or all windows if no worker can be started. If windows of a job may have rows with the same key,
// one worker at a time loads them in order, so that the last window wins. A cancel stops everything: windows that are
// being loaded are rolled back, windows that are loaded stay loaded. Only the ledger and the coverage store the state of such
// a call, so the same call continues one that was killed.
#include "many/load_windows.hpp"

#include <algorithm>

#include "server/memory.hpp"
#include "server/shown_text.hpp"
#include "target/shared_keys.hpp"
#include "run/bound_warnings.hpp"
#include "many/window_report.hpp"
#include "many/worker_pool.hpp"

namespace pgci {

namespace {

class Loader {
  public:
    Loader(Oid schema, const ProcedureScope &procedure, ConnectionKeeper &keeper, std::vector<JobWindows> jobs,
           const char *hint);
    void record_failed_jobs();
    void warn_of_jobs() const;
    void load_here();
    void load_in_workers(int workers);
    void finish() { report_.finish(); }

  private:
    void record(const WindowTask &task, const WindowResult &result);
    void run_here(const WindowTask &task);
    bool must_be_in_order(const JobWindows &job) const;
    void say_in_order() const;
    std::size_t find_followers();
    std::string name_jobs() const;

    Oid schema_;
    const ProcedureScope &procedure_;
    ConnectionKeeper &keeper_;
    Retries retries_{};
    std::vector<JobWindows> jobs_;
    std::vector<WindowTask> tasks_{};
    WindowReport report_;
};

// Windows of a job with lookback overlap, so workers could not load them at the same time. Therefore only the first of adjacent
// windows looks back; this call loads the days before the other windows anyway.
bool looks_back(const JobWindows &job, std::size_t place) {
    return job.looks_back && job.job.request.lookback > 0 &&
           (place == 0 || job.windows[place - 1].end != job.windows[place].start);
}

Loader::Loader(Oid schema, const ProcedureScope &procedure, ConnectionKeeper &keeper, std::vector<JobWindows> jobs,
               const char *hint)
    : schema_(schema), procedure_(procedure), keeper_(keeper), jobs_(std::move(jobs)), report_(hint) {
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
        const JobWindows &job = jobs_[i];
        report_.add_job(job.job.name, job.windows.size(), job.detail);
        for (std::size_t place = 0; place < job.windows.size(); ++place)
            tasks_.push_back({.job_id = job.job.id,
                              .job = static_cast<std::uint32_t>(i),
                              .span = job.windows[place],
                              .looks_back = looks_back(job, place),
                              .is_again = job.is_again,
                              .repairs = job.repairs});
    }
}

void Loader::record_failed_jobs() {
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
        const JobWindows &job = jobs_[i];
        if (!job.failure) continue;
        procedure_.commit();
        record_failure(schema_, job.job, std::nullopt, GetCurrentTimestamp(), *job.failure);
        procedure_.rest();
        report_.add_failure(i, *job.failure);
    }
}

// Once for each job, not for each window.
void Loader::warn_of_jobs() const {
    for (const JobWindows &job : jobs_)
        if (!job.windows.empty()) warn_of_bounds(job.job.request);
}

// Reports the result to the user, and records a failure in the ledger. Holds no snapshot afterwards.
void Loader::record(const WindowTask &task, const WindowResult &result) {
    const TemporaryMemory memory;
    const Job &job = jobs_[task.job].job;
    const bool is_new = report_.add(task.job, job.window(task.span).name(), result);
    if (result.end != WindowEnd::failed || !is_new) return;
    procedure_.commit();
    record_failure(schema_, job, task.span, result.started_at, *result.failure);
    procedure_.rest();
}

void Loader::run_here(const WindowTask &task) {
    if (report_.has_stopped(task.job)) return;
    procedure_.commit();
    const WindowResult result = run_window(schema_, task, procedure_, Runner::session, keeper_, retries_);
    procedure_.rest();
    record(task, result);
}

bool Loader::must_be_in_order(const JobWindows &job) const {
    return !job.repairs && job.windows.size() > 1 && windows_may_share_keys(job.job.request, job.job.target);
}

void Loader::say_in_order() const {
    for (const JobWindows &job : jobs_)
        if (must_be_in_order(job))
            pg_call([name = job.job.name.c_str()] {
                ereport(
                    NOTICE,
                    (errmsg("windows of job \"%s\" are loaded one after the other", name),
                     errdetail("They may have rows with the same key, of which the last must remain."),
                     errhint(
                         "To load them at the same time, say with update_where which row is newer, or use a key that "
                         "contains the column of the window.")));
            });
}

// Finds the windows that must wait for the one before. Returns the number of the others.
std::size_t Loader::find_followers() {
    std::size_t others = tasks_.size();
    for (std::size_t i = 1; i < tasks_.size(); ++i) {
        tasks_[i].follows = tasks_[i].job == tasks_[i - 1].job && must_be_in_order(jobs_[tasks_[i].job]);
        if (tasks_[i].follows) --others;
    }
    return others;
}

// Those that still have windows to load.
std::string Loader::name_jobs() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < tasks_.size(); ++i)
        if (i == 0 || tasks_[i].job != tasks_[i - 1].job) names.push_back("\"" + jobs_[tasks_[i].job].job.name + "\"");
    return (names.size() == 1 ? "job " : "jobs ") + shorten_list(names);
}

void Loader::load_here() {
    for (const WindowTask &task : tasks_) run_here(task);
}

void warn_unused(const std::string &jobs, const RunFailure &reason) {
    pg_call([&] {
        ereport(WARNING, (errcode(reason.code), errmsg("%s: a background worker could not be used: %s", jobs.c_str(),
                                                       reason.message.c_str())));
    });
}

void say_fewer_workers(const std::string &job, const RunFailure &failure) {
    pg_call([&] {
        ereport(NOTICE, (errmsg("job \"%s\": the source accepts no more connections, so fewer workers load the windows",
                                job.c_str()),
                         errdetail_internal("%s: %s", failure.message.c_str(), failure.detail.c_str()),
                         errhint("Use fewer workers, or set copy_incremental.max_source_connections.")));
    });
}

void Loader::load_in_workers(int workers) {
    say_in_order();
    const auto rest = std::stable_partition(tasks_.begin(), tasks_.end(), [this](const WindowTask &task) {
        return task.looks_back && !must_be_in_order(jobs_[task.job]);
    });
    std::for_each(tasks_.begin(), rest, [this](const WindowTask &task) { run_here(task); });
    tasks_.erase(tasks_.begin(), rest);
    std::erase_if(tasks_, [this](const WindowTask &task) { return report_.has_stopped(task.job); });
    const std::size_t at_once = std::min(find_followers(), static_cast<std::size_t>(workers));
    if (at_once < 2) return load_here();
    const int wanted = static_cast<int>(at_once);
    keeper_.close(); // the workers need the connections
    WorkerPool pool({.work = WorkerTask::windows,
                     .schema = schema_,
                     .windows = tasks_,
                     .jobs = static_cast<std::uint32_t>(jobs_.size()),
                     .workers = wanted});
    const int launched = pool.size();
    const std::string jobs = name_jobs();
    if (launched < wanted)
        pg_call([&] {
            ereport(NOTICE,
                    (errmsg("%s: %d of %d background workers could be started", jobs.c_str(), launched, wanted),
                     launched > 0
                         ? errdetail_plural("%d window is loaded at a time.", "%d windows are loaded at a time.",
                                            static_cast<unsigned long>(launched), launched)
                         : errdetail("This session loads the windows one after the other."),
                     errhint("Raise max_worker_processes or copy_incremental.max_workers, or use fewer workers.")));
        });
    std::vector<bool> has_ended(tasks_.size());
    bool is_told = false;
    while (const std::optional<WorkerMessage> message = pool.next()) {
        if (message->kind != MessageKind::ended) continue;
        const bool is_given_back = message->result.end == WindowEnd::given_back;
        has_ended[message->window] = !is_given_back;
        if (is_given_back && !std::exchange(is_told, true))
            say_fewer_workers(jobs_[tasks_[message->window].job].job.name, *message->result.failure);
        record(tasks_[message->window], message->result);
    }
    if (const std::optional<RunFailure> reason = pool.take_last_words()) warn_unused(jobs, *reason);
    // Load the windows that workers left because they ended early.
    for (std::size_t i = 0; i < tasks_.size(); ++i)
        if (!has_ended[i]) run_here(tasks_[i]);
}

} // namespace

void load_windows(Oid schema, const ProcedureScope &procedure, ConnectionKeeper &keeper, std::vector<JobWindows> jobs,
                  int workers, const char *hint) {
    Loader loader(schema, procedure, keeper, std::move(jobs), hint);
    loader.record_failed_jobs();
    loader.warn_of_jobs();
    if (workers > 1)
        loader.load_in_workers(workers);
    else
        loader.load_here();
    loader.finish();
}

} // namespace pgci
