#include "many/catch_up.hpp"

#include <algorithm>

#include "server/subtransaction.hpp"
#include "ledger/coverage.hpp"
#include "ledger/ledger.hpp"
#include "ledger/rejected_rows.hpp"
#include "many/load_group.hpp"
#include "many/settled_ids.hpp"

namespace pgci {

namespace {

// The next call loads the rest.
constexpr std::size_t most_windows = 100000;

std::vector<Span> find_due(Oid schema, const Job &job) {
    const WindowGrid grid = job.grid();
    const Span all{grid.start_of(0), grid.due_to(GetCurrentTimestamp(), job.lag)};
    return uncovered_windows(grid, all, find_tried_windows(schema, job), most_windows);
}

JobWindows find_windows(Oid schema, const Job &job, ConnectionKeeper &keeper) {
    JobWindows found{.job = job, .looks_back = true};
    found.failure = in_subtransaction([&] {
        found.detail = describe_windows_with_rejects(schema, job, {no_start, no_end});
        if (job.kind() == WindowKind::time) {
            found.windows = find_due(schema, job);
            return;
        }
        SettledIds ids = find_settled_ids(schema, job, keeper, most_windows);
        found.windows = std::move(ids.windows);
        found.detail.append(found.detail.empty() || ids.waiting.empty() ? "" : " ").append(ids.waiting);
    });
    return found;
}

void say_nothing_is_due() {
    pg_call([] {
        ereport(NOTICE, (errmsg("no job of role \"%s\" has a window that is due and missing",
                                GetUserNameFromId(GetUserId(), false))));
    });
}

// A group of jobs, or, without a name, jobs that are loaded one after the other.
struct Wanted {
    std::optional<std::string> group{};
    std::vector<Job> jobs{};
};

void say_without_group(const Job &job) {
    pg_call([name = job.name.c_str(), group = job.request.job_group->c_str()] {
        ereport(NOTICE, (errmsg("job \"%s\" is loaded without the other jobs of job group \"%s\"", name, group),
                         errdetail("It reads a snapshot of its own."),
                         errhint("Pass job_group instead of job to read one snapshot for all of them.")));
    });
}

std::vector<Wanted> find_wanted(Oid schema, const std::optional<std::string> &job,
                                const std::optional<std::string> &group) {
    const Jobs jobs(schema);
    std::vector<Wanted> wanted(1);
    if (group) return {{.group = group, .jobs = jobs.find_group(*group)}};
    if (job) {
        wanted.front().jobs = {jobs.find(*job)};
        (void)wanted.front().jobs.front().grid();
        if (wanted.front().jobs.front().request.job_group) say_without_group(wanted.front().jobs.front());
        return wanted;
    }
    for (Job &own : jobs.find_own()) {
        if (!own.has_windows()) continue;
        const auto of_group = std::find_if(wanted.begin(), wanted.end(),
                                           [&](const Wanted &each) { return each.group == own.request.job_group; });
        if (of_group != wanted.end())
            of_group->jobs.push_back(std::move(own));
        else
            wanted.push_back({.group = own.request.job_group, .jobs = {std::move(own)}});
    }
    return wanted;
}

} // namespace

void catch_up(Oid schema, const std::optional<std::string> &job, const std::optional<std::string> &group, int workers,
              bool is_atomic) {
    const ProcedureScope procedure(true);
    const ClientWatch client_watch;
    check_may_write();
    const std::vector<Wanted> wanted = find_wanted(schema, job, group);
    const bool is_named = job || group;
    Ledger(schema).mark_crashed();
    procedure.commit();
    ConnectionKeeper keeper(procedure.memory());
    WindowLoader loader(
        schema, procedure, keeper, workers,
        "Windows that succeeded stay loaded. Remove the cause and call again to load the missing windows.");
    bool is_nothing_due = true;
    for (const Wanted &each : wanted) {
        std::vector<JobWindows> found;
        for (const Job &one : each.jobs) {
            JobWindows windows = find_windows(schema, one, keeper);
            if (is_named || windows.failure || !windows.windows.empty()) found.push_back(std::move(windows));
        }
        procedure.rest();
        is_nothing_due = is_nothing_due && found.empty();
        if (each.group) {
            load_group(loader, *each.group, std::move(found), is_atomic);
        } else {
            // Jobs of ids come first: their rows are not later than those of a window that has ended.
            const auto oldest = [](const JobWindows &windows) {
                return windows.windows.empty() || windows.job.kind() == WindowKind::ids ? no_start
                                                                                        : windows.windows.front().start;
            };
            std::stable_sort(found.begin(), found.end(),
                             [&](const JobWindows &a, const JobWindows &b) { return oldest(a) < oldest(b); });
            loader.load(std::move(found));
        }
        procedure.commit();
    }
    procedure.rest();
    if (is_nothing_due) say_nothing_is_due();
    loader.finish();
    procedure.finish();
}

} // namespace pgci
