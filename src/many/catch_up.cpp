#include "many/catch_up.hpp"

#include <algorithm>

#include "server/subtransaction.hpp"
#include "ledger/coverage.hpp"
#include "ledger/ledger.hpp"
#include "ledger/rejected_rows.hpp"
#include "many/load_windows.hpp"
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
    ConnectionKeeper keeper(procedure.memory());
    for (const Job &each : wanted) {
        JobWindows windows = find_windows(schema, each, keeper);
        if (job || windows.failure || !windows.windows.empty()) found.push_back(std::move(windows));
    }
    procedure.rest();
    // Jobs of ids come first: their rows are not later than those of a window that has ended.
    const auto oldest = [](const JobWindows &windows) {
        return windows.windows.empty() || windows.job.kind() == WindowKind::ids ? no_start
                                                                                : windows.windows.front().start;
    };
    std::stable_sort(found.begin(), found.end(),
                     [&](const JobWindows &a, const JobWindows &b) { return oldest(a) < oldest(b); });
    if (found.empty()) say_nothing_is_due();
    load_windows(schema, procedure, keeper, std::move(found), workers,
                 "Windows that succeeded stay loaded. Remove the cause and call again to load the missing windows.");
    procedure.finish();
}

} // namespace pgci
