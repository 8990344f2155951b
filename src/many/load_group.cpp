// The steps of a group:
//
//     take the snapshot of the source --> load the windows of the first level --> of the next level --> ...
//            ^                                       |
//            '------- the snapshot is lost ----------'
//
// A level has the jobs whose targets refer only to targets of earlier levels. The windows of a level are loaded as those of other
// jobs are, by workers too, and each is committed by itself. A run that begins after the session that holds the snapshot was lost
// fails (PI004), and so do all that follow; none of them reads another snapshot.
//
// An atomic group is not loaded level by level but window by window: those of all jobs, in the order of the levels, in one
// transaction. Deferrable foreign keys between the targets are checked at its commit.
#include "many/load_group.hpp"

#include <algorithm>

#include "server/shown_text.hpp"
#include "server/subtransaction.hpp"
#include "many/group_snapshot.hpp"
#include "many/load_order.hpp"
#include "many/windows_together.hpp"

namespace pgci {

namespace {

// A target may not exist yet; its own run says so.
Oid find_target(Oid schema, const Job &job) {
    Oid target = job.target;
    if (!OidIsValid(target)) (void)in_subtransaction([&] { target = Jobs(schema).request_of(job).target; });
    return target;
}

// Returns why windows of these jobs cannot be loaded in one transaction.
std::optional<RunFailure> find_unusable(const std::vector<JobWindows> &jobs) {
    for (const JobWindows &job : jobs)
        if (job.failure) return failure_of_other(job.job, *job.failure);
    const auto other_windows = [&](const JobWindows &job) {
        return RunFailure{.code = sqlstate::invalid_parameter.packed(),
                          .message = "jobs \"" + jobs.front().job.name + "\" and \"" + job.job.name +
                                     "\" do not have the same windows",
                          .detail = "The windows of all jobs are loaded in one transaction.",
                          .hint = "Define the jobs with the same window_size, time_zone and first_day, or call "
                                  "without atomic."};
    };
    for (const JobWindows &job : jobs) {
        if (job.job.kind() != WindowKind::time)
            return RunFailure{.code = sqlstate::invalid_parameter.packed(),
                              .message = "job \"" + job.job.name + "\" has windows of ids",
                              .detail = "Only windows of time are loaded in one transaction with those of other jobs.",
                              .hint = "Call without atomic."};
        const WindowGrid grid = jobs.front().job.grid();
        for (const Span &window : job.windows)
            if (!(grid.span_of(grid.number_at(window.start)) == window)) return other_windows(job);
    }
    return std::nullopt;
}

class GroupLoad {
  public:
    GroupLoad(WindowLoader &loader, const std::string &group, std::vector<JobWindows> jobs, bool is_atomic)
        : loader_(loader), group_(group), is_atomic_(is_atomic), snapshot_(loader.procedure().memory()) {
        if (is_atomic) unusable_ = find_unusable(jobs);
        for (JobWindows &job : jobs)
            if (std::vector<WindowTask> tasks = loader.add(std::move(job)); !tasks.empty())
                tasks_.push_back(std::move(tasks));
    }

    void load() {
        if (tasks_.empty()) return;
        std::vector<WindowTask> left = order();
        if (unusable_) return give_up(*unusable_, left);
        for (int attempts = 1; !left.empty();) {
            const std::size_t before = left.size();
            std::optional<RunFailure> failure = take_snapshot(left);
            if (!failure && is_atomic_)
                left = load_units(std::move(left), failure);
            else if (!failure)
                left = load_levels(std::move(left), failure);
            snapshot_.end();
            // Each window that was loaded is progress.
            if (left.size() < before) attempts = 1;
            if (failure && !left.empty() && !wait_after(*failure, left, attempts++)) return give_up(*failure, left);
        }
    }

  private:
    std::vector<WindowTask> order();
    std::optional<RunFailure> take_snapshot(std::vector<WindowTask> &left);
    std::vector<WindowTask> load_levels(std::vector<WindowTask> tasks, std::optional<RunFailure> &failure);
    std::vector<WindowTask> load_units(std::vector<WindowTask> tasks, std::optional<RunFailure> &failure);
    void refuse(const GroupSnapshot::Refused &refused, std::vector<WindowTask> &left);
    bool wait_after(const RunFailure &failure, const std::vector<WindowTask> &left, int attempts);
    void give_up(const RunFailure &failure, const std::vector<WindowTask> &left);

    WindowLoader &loader_;
    const std::string &group_;
    bool is_atomic_;
    std::optional<RunFailure> unusable_{}; // why no window of an atomic group can be loaded
    std::string deferred_{};               // the constraints, as a list
    GroupSnapshot snapshot_;
    std::vector<std::vector<WindowTask>> tasks_{};     // of each job that has some
    std::vector<std::vector<std::uint32_t>> levels_{}; // with the numbers of the jobs in tasks
};

void warn_of_cycle(const std::string &group, const std::vector<ForeignKey> &broken) {
    std::vector<std::string> names;
    names.reserve(broken.size());
    for (const ForeignKey &key : broken) names.push_back(key.name);
    const std::string list = shorten_list(names);
    pg_call([name = group.c_str(), keys = list.c_str()] {
        ereport(NOTICE, (errmsg("foreign keys between the targets of job group \"%s\" form a cycle", name),
                         errdetail("The windows are loaded without regard to %s.", keys)));
    });
}

// Finds the levels. Returns the windows in their order.
std::vector<WindowTask> GroupLoad::order() {
    loader_.procedure().commit();
    std::vector<Oid> targets;
    targets.reserve(tasks_.size());
    for (const std::vector<WindowTask> &tasks : tasks_)
        targets.push_back(find_target(loader_.schema(), loader_.job(tasks.front())));
    const std::vector<ForeignKey> keys = find_foreign_keys(targets);
    for (const ForeignKey &key : keys)
        if (is_atomic_ && key.is_deferrable) deferred_ += (deferred_.empty() ? "" : ", ") + key.constraint;
    const LoadOrder order = order_by_foreign_keys(tasks_.size(), keys, is_atomic_);
    if (!order.broken.empty()) warn_of_cycle(group_, order.broken);
    loader_.procedure().rest();
    std::vector<WindowTask> ordered;
    for (const std::vector<std::size_t> &level : order.levels) {
        levels_.emplace_back();
        for (const std::size_t job : level) {
            levels_.back().push_back(tasks_[job].front().job);
            ordered.insert(ordered.end(), tasks_[job].begin(), tasks_[job].end());
        }
    }
    return ordered;
}

WindowResult failed_since(TimestampTz started_at, const RunFailure &failure) {
    return {.end = WindowEnd::failed, .started_at = started_at, .ended_at = GetCurrentTimestamp(), .failure = failure};
}

// Takes the windows out that the option settle refuses.
std::optional<RunFailure> GroupLoad::take_snapshot(std::vector<WindowTask> &left) {
    std::vector<GroupSnapshot::Refused> refused;
    const TimestampTz started_at = GetCurrentTimestamp();
    loader_.procedure().commit();
    std::optional<RunFailure> failure = in_subtransaction([&] { refused = snapshot_.take(loader_, left); });
    loader_.procedure().rest();
    for (const GroupSnapshot::Refused &each : refused) {
        loader_.report(each.task, failed_since(started_at, each.failure));
        if (is_atomic_) refuse(each, left);
    }
    return failure;
}

// Takes the same windows of other jobs out, too.
void GroupLoad::refuse(const GroupSnapshot::Refused &refused, std::vector<WindowTask> &left) {
    const RunFailure failure = failure_of_other(loader_.job(refused.task), refused.failure);
    std::erase_if(left, [&](const WindowTask &task) {
        if (!(task.span == refused.task.span)) return false;
        loader_.report(task, failed_since(GetCurrentTimestamp(), failure));
        return true;
    });
}

std::vector<WindowTask> GroupLoad::load_units(std::vector<WindowTask> tasks, std::optional<RunFailure> &failure) {
    std::stable_sort(tasks.begin(), tasks.end(),
                     [](const WindowTask &a, const WindowTask &b) { return a.span.start < b.span.start; });
    std::vector<std::vector<WindowTask>> units;
    for (const WindowTask &task : tasks) {
        if (units.empty() || !(units.back().front().span == task.span)) units.emplace_back();
        units.back().push_back(task);
    }
    std::vector<WindowTask> left = loader_.load_together(units, deferred_);
    if (!left.empty()) failure = loader_.lost_snapshot();
    return left;
}

// Returns the windows that were not loaded because the snapshot was lost.
std::vector<WindowTask> GroupLoad::load_levels(std::vector<WindowTask> tasks, std::optional<RunFailure> &failure) {
    for (const std::vector<std::uint32_t> &level : levels_) {
        const auto end = std::stable_partition(tasks.begin(), tasks.end(), [&](const WindowTask &task) {
            return std::find(level.begin(), level.end(), task.job) != level.end();
        });
        std::vector<WindowTask> left = loader_.load_tasks({tasks.begin(), end});
        tasks.erase(tasks.begin(), end);
        if (left.empty()) continue;
        failure = loader_.lost_snapshot();
        // Workers end in any order.
        std::sort(left.begin(), left.end(), [](const WindowTask &a, const WindowTask &b) {
            return a.job != b.job ? a.job < b.job : a.span.start < b.span.start;
        });
        left.insert(left.end(), tasks.begin(), tasks.end());
        return left;
    }
    return {};
}

void say_retry(const std::string &group, const RunFailure &failure, int attempts, int retries, long milliseconds) {
    const double seconds = static_cast<double>(milliseconds) / 1000;
    pg_call([&] {
        ereport(NOTICE,
                (errmsg("job group \"%s\": the windows that are left are read in a new snapshot, retry %d of "
                        "%d follows in %.1f s",
                        group.c_str(), attempts, retries, seconds),
                 errdetail("The error was: %s (SQLSTATE %s).", failure.message.c_str(), failure.sqlstate().c_str())));
    });
}

// Records the attempt for each job, and waits. Returns false if there is no further attempt.
bool GroupLoad::wait_after(const RunFailure &failure, const std::vector<WindowTask> &left, int attempts) {
    const auto patient = std::max_element(left.begin(), left.end(), [&](const WindowTask &a, const WindowTask &b) {
        return loader_.job(a).request.retries < loader_.job(b).request.retries;
    });
    const Job &job = loader_.job(*patient);
    const std::optional<long> pause = loader_.retries().pause_of_group(failure, job, attempts);
    if (!pause) return false;
    loader_.procedure().commit();
    std::vector<std::uint32_t> recorded;
    for (const WindowTask &task : left) {
        if (std::find(recorded.begin(), recorded.end(), task.job) != recorded.end()) continue;
        recorded.push_back(task.job);
        record_failure(loader_.schema(), loader_.job(task), task.span, GetCurrentTimestamp(), failure);
    }
    loader_.procedure().rest();
    say_retry(group_, failure, attempts, job.request.retries, *pause);
    (void)wait_to_retry({.target = job.target, .job_id = job.id}, *pause, loader_.procedure(), Runner::session);
    loader_.procedure().rest();
    return true;
}

// Each job fails at its first window; the others are not tried.
void GroupLoad::give_up(const RunFailure &failure, const std::vector<WindowTask> &left) {
    for (const WindowTask &task : left) {
        if (loader_.has_stopped(task)) continue;
        const TimestampTz now = GetCurrentTimestamp();
        loader_.report(
            task,
            {.end = WindowEnd::failed, .stops_job = true, .started_at = now, .ended_at = now, .failure = failure});
    }
}

} // namespace

void load_group(WindowLoader &loader, const std::string &group, std::vector<JobWindows> jobs, bool is_atomic) {
    GroupLoad(loader, group, std::move(jobs), is_atomic).load();
}

} // namespace pgci
