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
#include "run/later_windows.hpp"
#include "many/windows_together.hpp"
#include "many/worker_pool.hpp"

namespace pgci {

namespace {

// Windows of a job with lookback overlap, so workers could not load them at the same time. Therefore only the first of adjacent
// windows looks back; this call loads the days before the other windows anyway.
bool looks_back(const JobWindows &job, std::size_t place) {
    return job.looks_back && job.job.request.lookback > 0 &&
           (place == 0 || job.windows[place - 1].end != job.windows[place].start);
}

void say_in_order_of(const Job &job) {
    pg_call([name = job.name.c_str()] {
        ereport(NOTICE,
                (errmsg("windows of job \"%s\" are loaded one after the other", name),
                 errdetail("They may have rows with the same key, of which the last must remain."),
                 errhint("To load them at the same time, say with update_where which row is newer, or use a key that "
                         "contains the column of the window.")));
    });
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
                         errdetail("The error was: %s. %s", failure.message.c_str(), failure.detail.c_str()),
                         errhint("Use fewer workers, or set copy_incremental.max_source_connections.")));
    });
}

void say_fewer_could_be_started(const std::string &jobs, int launched, int wanted) {
    pg_call([&] {
        ereport(NOTICE,
                (errmsg("%s: %d of %d background workers could be started", jobs.c_str(), launched, wanted),
                 launched > 0 ? errdetail_plural("%d window is loaded at a time.", "%d windows are loaded at a time.",
                                                 static_cast<unsigned long>(launched), launched)
                              : errdetail("This session loads the windows one after the other."),
                 errhint("Raise max_worker_processes or copy_incremental.max_workers, or use fewer workers.")));
    });
}

} // namespace

std::vector<WindowTask> WindowLoader::add(JobWindows job) {
    const std::size_t place = report_.add_job(job.job.name, job.windows.size(), job.detail);
    std::vector<WindowTask> tasks;
    for (std::size_t i = 0; i < job.windows.size(); ++i)
        tasks.push_back({.job_id = job.job.id,
                         .job = static_cast<std::uint32_t>(place),
                         .span = job.windows[i],
                         .looks_back = looks_back(job, i),
                         .is_again = job.is_again,
                         .repairs = job.repairs});
    // Once for each job, not for each window.
    if (!job.windows.empty()) warn_of_bounds(job.job.request);
    if (!job.repairs) warn_of_later_windows(schema_, job.job.request, job.job.target, job.windows);
    if (job.failure) {
        procedure_.commit();
        record_failure(schema_, job.job, std::nullopt, GetCurrentTimestamp(), *job.failure);
        procedure_.rest();
        report_.add_failure(place, *job.failure);
    }
    jobs_.push_back(std::move(job));
    return tasks;
}

void WindowLoader::load(std::vector<JobWindows> jobs) {
    std::vector<WindowTask> tasks;
    for (JobWindows &job : jobs) {
        const std::vector<WindowTask> more = add(std::move(job));
        tasks.insert(tasks.end(), more.begin(), more.end());
    }
    (void)load_tasks(std::move(tasks));
}

std::vector<WindowTask> WindowLoader::load_tasks(std::vector<WindowTask> tasks) {
    left_.clear();
    lost_snapshot_.reset();
    if (workers_ > 1)
        load_in_workers(std::move(tasks));
    else
        for (const WindowTask &task : tasks) run_here(task);
    return std::move(left_);
}

std::vector<WindowTask> WindowLoader::load_together(const std::vector<std::vector<WindowTask>> &units,
                                                    const std::string &deferred) {
    left_.clear();
    lost_snapshot_.reset();
    for (const std::vector<WindowTask> &unit : units) {
        if (std::any_of(unit.begin(), unit.end(), [this](const WindowTask &task) { return has_stopped(task); }))
            continue;
        if (lost_snapshot_) {
            left_.insert(left_.end(), unit.begin(), unit.end());
            continue;
        }
        procedure_.commit();
        const std::vector<WindowResult> results =
            run_windows_together(schema_, unit, deferred, procedure_, keeper_, retries_);
        procedure_.rest();
        for (std::size_t i = 0; i < unit.size(); ++i) record(unit[i], results[i]);
    }
    return std::move(left_);
}

// Windows whose snapshot was lost are left to the caller.
void WindowLoader::record(const WindowTask &task, const WindowResult &result) {
    if (!has_lost_snapshot(result)) return report(task, result);
    lost_snapshot_ = result.failure;
    left_.push_back(task);
}

// Holds no snapshot afterwards.
void WindowLoader::report(const WindowTask &task, const WindowResult &result) {
    const TemporaryMemory memory;
    const Job &job = jobs_[task.job].job;
    const bool is_new = report_.add(task.job, job.window(task.span).name(), result);
    if (result.end != WindowEnd::failed || !is_new) return;
    procedure_.commit();
    record_failure(schema_, job, task.span, result.started_at, *result.failure);
    procedure_.rest();
}

void WindowLoader::run_here(const WindowTask &task) {
    if (report_.has_stopped(task.job)) return;
    if (lost_snapshot_) {
        left_.push_back(task);
        return;
    }
    procedure_.commit();
    const WindowResult result = run_window(schema_, task, procedure_, Runner::session, keeper_, retries_);
    procedure_.rest();
    record(task, result);
}

bool WindowLoader::must_be_in_order(const WindowTask &task) const {
    const JobWindows &job = jobs_[task.job];
    return job.windows.size() > 1 && windows_may_share_keys(job.job.request, job.job.target);
}

void WindowLoader::say_in_order(const std::vector<WindowTask> &tasks) const {
    for (std::size_t i = 0; i < tasks.size(); ++i)
        if ((i == 0 || tasks[i].job != tasks[i - 1].job) && must_be_in_order(tasks[i])) say_in_order_of(job(tasks[i]));
}

// Finds the windows that must wait for the one before. Returns the number of the others.
std::size_t WindowLoader::find_followers(std::vector<WindowTask> &tasks) const {
    std::size_t others = tasks.size();
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        tasks[i].follows = i > 0 && tasks[i].job == tasks[i - 1].job && must_be_in_order(tasks[i]);
        if (tasks[i].follows) --others;
    }
    return others;
}

std::string WindowLoader::name_jobs(const std::vector<WindowTask> &tasks) const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < tasks.size(); ++i)
        if (i == 0 || tasks[i].job != tasks[i - 1].job) names.push_back("\"" + job(tasks[i]).name + "\"");
    return (names.size() == 1 ? "job " : "jobs ") + shorten_list(names);
}

void WindowLoader::load_in_workers(std::vector<WindowTask> tasks) {
    say_in_order(tasks);
    const auto rest = std::stable_partition(tasks.begin(), tasks.end(), [this](const WindowTask &task) {
        return task.looks_back && !must_be_in_order(task);
    });
    std::for_each(tasks.begin(), rest, [this](const WindowTask &task) { run_here(task); });
    tasks.erase(tasks.begin(), rest);
    std::erase_if(tasks, [this](const WindowTask &task) { return report_.has_stopped(task.job); });
    const std::size_t at_once = std::min(find_followers(tasks), static_cast<std::size_t>(workers_));
    if (at_once < 2 || lost_snapshot_) {
        for (const WindowTask &task : tasks) run_here(task);
        return;
    }
    const int wanted = static_cast<int>(at_once);
    // A worker that adds a column waits for all who have locked the target. This transaction, which waits for the worker, would be
    // one of them, and no deadlock is detected.
    procedure_.rest();
    keeper_.close(); // the workers need the connections
    WorkerPool pool({.work = WorkerTask::windows,
                     .schema = schema_,
                     .windows = tasks,
                     .jobs = static_cast<std::uint32_t>(jobs_.size()),
                     .workers = wanted});
    const std::string jobs = name_jobs(tasks);
    if (pool.size() < wanted) say_fewer_could_be_started(jobs, pool.size(), wanted);
    std::vector<bool> has_ended(tasks.size());
    bool is_told = false;
    while (const std::optional<WorkerMessage> message = pool.next()) {
        if (message->kind != MessageKind::ended) continue;
        const WindowTask &task = tasks[message->window];
        const bool is_given_back = message->result.end == WindowEnd::given_back;
        has_ended[message->window] = !is_given_back;
        if (is_given_back && !std::exchange(is_told, true)) say_fewer_workers(job(task).name, *message->result.failure);
        record(task, message->result);
    }
    if (const std::optional<RunFailure> reason = pool.take_last_words()) warn_unused(jobs, *reason);
    // Load the windows that workers left because they ended early.
    for (std::size_t i = 0; i < tasks.size(); ++i)
        if (!has_ended[i]) run_here(tasks[i]);
}

} // namespace pgci
