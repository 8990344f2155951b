#include "many/catch_up.hpp"

#include <algorithm>

#include "server/subtransaction.hpp"
#include "ledger/coverage.hpp"
#include "ledger/ledger.hpp"
#include "ledger/rejected_rows.hpp"
#include "many/load_windows.hpp"

namespace pgci {

namespace {

// The next call loads the rest.
constexpr std::size_t most_windows = 100000;

std::vector<TimeSpan> find_due(Oid schema, const Job &job) {
    const WindowGrid grid = job.grid();
    const TimeSpan all{grid.start_of(0), grid.due_to(GetCurrentTimestamp(), job.lag)};
    return uncovered_windows(grid, all, find_tried_windows(schema, job.id), most_windows);
}

JobWindows find_windows(Oid schema, const Job &job) {
    JobWindows found{.job = job, .looks_back = true};
    found.failure = in_subtransaction([&] {
        found.windows = find_due(schema, job);
        found.detail = describe_windows_with_rejects(schema, job.id, all_time);
    });
    return found;
}

void say_nothing_is_due() {
    pg_call([] { ereport(NOTICE, (errmsg("no window is due and missing"))); });
}

} // namespace

void catch_up(Oid schema, const std::optional<std::string> &job, int workers) {
    const ProcedureScope procedure(true);
    const ClientWatch client_watch;
    check_may_write();
    const Jobs jobs(schema);
    std::vector<Job> wanted = job ? std::vector{jobs.find(*job)} : jobs.find_own();
    if (job)
        (void)wanted.front().grid();
    else
        std::erase_if(wanted, [](const Job &own) { return !own.has_windows(); });
    Ledger(schema).mark_crashed();
    procedure.commit();
    std::vector<JobWindows> found;
    for (const Job &each : wanted) {
        JobWindows windows = find_windows(schema, each);
        if (job || windows.failure || !windows.windows.empty()) found.push_back(std::move(windows));
    }
    procedure.rest();
    const auto oldest = [](const JobWindows &windows) {
        return windows.windows.empty() ? DT_NOBEGIN : windows.windows.front().start;
    };
    std::stable_sort(found.begin(), found.end(),
                     [&](const JobWindows &a, const JobWindows &b) { return oldest(a) < oldest(b); });
    if (found.empty()) say_nothing_is_due();
    load_windows(schema, procedure, std::move(found), workers,
                 "Windows that succeeded stay loaded. Remove the cause and call again to load the missing windows.");
    procedure.finish();
}

} // namespace pgci
