#include "many/group_snapshot.hpp"

#include <algorithm>

#include "server/named_relation.hpp"
#include "server/subtransaction.hpp"
#include "connection/conninfo.hpp"
#include "source/settled_window.hpp"
#include "ledger/ledger.hpp"

namespace pgci {

namespace {

// Looks at the windows of a job, the last one first: if it is settled, the earlier ones are, too.
class Settling {
  public:
    Settling(const Job &job, SourceSession &source)
        : job_(job), zone_(job.zone()), source_(source), refuses_unsettled_(job.request.mode == Mode::append) {}

    // Returns why the window must not be loaded.
    std::optional<RunFailure> look_at(WindowTask &task) {
        if (job_.kind() != WindowKind::time || job_.request.settle == Settle::off) return std::nullopt;
        if (is_settled_) {
            task.settled_before = SettledBefore::yes;
            return std::nullopt;
        }
        const Window window = job_.window(task.span);
        const std::string name = "window " + window.name() + " of job \"" + job_.name + "\" into " + job_.target_name;
        const SourceQuery query = job_.request.written_query(&window.text());
        SettledState state;
        std::optional<RunFailure> refused = in_subtransaction(
            [&] {
                state = settle_window(source_, zone_, query, window, name, job_.request.settle, refuses_unsettled_,
                                      nullptr);
            },
            [](int code) { return code == sqlstate::not_settled.packed(); });
        is_settled_ = state.is_settled.value_or(false);
        task.settled_before = to_settled_before(state.is_settled);
        if (!refused && !state.doubt.detail.empty()) warn_once(name, state.doubt);
        return refused;
    }

  private:
    // Each window would say the same.
    void warn_once(const std::string &name, const Doubt &doubt) {
        if (std::exchange(has_warned_, true)) return;
        if (!RunHistory(job_.request.schema).has_doubted_today({.target = job_.target})) warn_of_doubt(name, doubt);
    }

    const Job &job_;
    TimeZone zone_;
    SourceSession &source_;
    bool refuses_unsettled_;
    bool is_settled_ = false;
    bool has_warned_ = false;
};

// The jobs of the tasks, each once.
std::vector<const Job *> jobs_of(const WindowLoader &loader, const std::vector<WindowTask> &tasks) {
    std::vector<const Job *> jobs;
    for (const WindowTask &task : tasks)
        if (std::find(jobs.begin(), jobs.end(), &loader.job(task)) == jobs.end()) jobs.push_back(&loader.job(task));
    return jobs;
}

} // namespace

void GroupSnapshot::connect(const WindowLoader &loader, const std::vector<WindowTask> &tasks) {
    const Jobs stored(loader.schema());
    const std::vector<const Job *> jobs = jobs_of(loader, tasks);
    const Job &first = *jobs.front();
    const ConnectionOptions options = resolve_source(stored.source_of(first));
    const SourceIdentity source = identify_source(options);
    for (const Job *const job : jobs)
        check_same_source(*job, identify_source(resolve_source(stored.source_of(*job))), first, source);
    std::optional<ShownWait> shown;
    Opening opening{.use = ConnectionUse::holds_snapshot};
    opening.observer = [&](bool waits) {
        if (waits)
            shown.emplace(ProgressFacts{.target = first.target, .job_id = first.id}, Activity::waits_for_connection);
        else
            shown.reset();
    };
    session_.emplace(options, first.zone(), keeper_, opening);
}

std::vector<GroupSnapshot::Refused> GroupSnapshot::take(const WindowLoader &loader, std::vector<WindowTask> &tasks) {
    loader.keeper().close(); // the source may accept no more connections
    connect(loader, tasks);
    std::vector<Refused> refused;
    for (const Job *const job : jobs_of(loader, tasks)) {
        Settling settling(*job, *session_);
        std::for_each(tasks.rbegin(), tasks.rend(), [&](WindowTask &task) {
            if (task.job_id != job->id) return;
            if (std::optional<RunFailure> failure = settling.look_at(task))
                refused.push_back({task, *std::move(failure)});
        });
    }
    const auto is_refused = [&](const WindowTask &task) {
        return std::any_of(refused.begin(), refused.end(), [&](const Refused &each) {
            return each.task.job_id == task.job_id && each.task.span == task.span;
        });
    };
    // A transaction that ended during the look is not in the old snapshot.
    session_->restart(loader.job(tasks.front()).zone());
    const SourceSnapshot snapshot = session_->export_snapshot();
    std::erase_if(tasks, is_refused);
    for (WindowTask &task : tasks) task.snapshot = snapshot;
    std::reverse(refused.begin(), refused.end());
    return refused;
}

} // namespace pgci
