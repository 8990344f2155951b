#include "many/settled_ids.hpp"

#include <limits>

#include "server/guard.hpp"
#include "source/open_transactions.hpp"
#include "source/settled_window.hpp"
#include "ledger/coverage.hpp"
#include "ledger/id_marks.hpp"
#include "ledger/rejected_rows.hpp"
#include "run/prepared_run.hpp"

namespace pgci {

namespace {

void look_at_marks(std::vector<IdMark> &marks, const std::set<std::string> &open) {
    for (IdMark &mark : marks) {
        AwaitedTransactions awaited(std::move(mark.awaited));
        awaited.look(open);
        mark.awaited = awaited.names();
    }
}

std::string describe_waiting(const IdMark &mark, std::optional<std::int64_t> settled) {
    const auto sessions = static_cast<std::size_t>(std::count_if(
        mark.awaited.begin(), mark.awaited.end(), [](const std::string &name) { return name[0] == 's'; }));
    const std::size_t transactions = mark.awaited.size() - sessions;
    std::string text = "Ids up to " + std::to_string(mark.highest) + " exist at the source, but those after " +
                       (settled ? std::to_string(*settled) : "the first") + " wait for ";
    if (transactions > 0) text += std::to_string(transactions) + (transactions == 1 ? " transaction" : " transactions");
    if (sessions > 0)
        text += (transactions > 0 ? " and " : "") + std::to_string(sessions) +
                (sessions == 1 ? " session that may have" : " sessions that may have") +
                " taken ids in advance, because the sequence has a CACHE";
    return text + ".";
}

} // namespace

SettledIds find_settled_ids(Oid schema, const Job &job, ConnectionKeeper &keeper, std::size_t most) {
    CopyRequest request = looking_request(job.request);
    request.src_conninfo = Jobs(schema).source_of(job);
    request.span = job.grid().span_of(0);
    const std::string name = "the next window of job \"" + job.name + "\"";
    PreparedRun run(request, TargetUse::look, CurTransactionContext, &keeper);
    run.look_at_source();
    SourceIds ids = run.source_ids();
    if (request.settle != Settle::off && !ids.doubt().empty()) raise_doubt(name, doubt_of(ids));
    const std::optional<IdExtent> extent = ids.extent();
    const IdMarks stored(schema);
    const std::string &place = run.key().source.place;
    const std::vector<IdMark> earlier = stored.find(job.id, place);
    std::vector<IdMark> marks = earlier;
    const std::vector<Span> covered = Coverage(schema, WindowKind::ids).find(job.id);
    std::int64_t seen = no_start;
    if (!marks.empty()) seen = marks.back().highest;
    if (!covered.empty()) seen = std::max(seen, covered.back().end - 1);
    ids.check_not_restarted(extent, seen, request.settle != Settle::off, job.name);
    const auto open = [&] { return request.settle == Settle::off ? std::set<std::string>{} : ids.open_transactions(); };
    std::set<std::string> open_now = open();
    look_at_marks(marks, open_now);
    std::optional<std::int64_t> highest;
    if (extent) highest = request.settle == Settle::off ? extent->highest : extent->highest_given();
    if (extent && extent->highest == std::numeric_limits<std::int64_t>::max())
        raise(SqlState("22003"), "the highest id at the source of job \"" + job.name + "\" is the largest bigint",
              "Leave it out in the query: no window ends after it.");
    if (highest && *highest >= extent->lowest && (marks.empty() || marks.back().highest < *highest))
        marks.push_back({.highest = *highest, .read_at = GetCurrentTimestamp(), .awaited = std::move(open_now)});
    const auto waits = [&] { return !marks.empty() && !marks.back().is_settled() && request.settle != Settle::off; };
    for (int looks = 1; waits() && (looks < most_short_looks || request.settle == Settle::wait); ++looks) {
        rest_between_looks(looks);
        run.source().restart(run.zone());
        look_at_marks(marks, ids.open_transactions());
    }
    // A transaction that has just ended may have committed the lowest id, which an older snapshot does not see.
    std::optional<std::int64_t> first = job.first_id;
    if (!first) {
        run.source().restart(run.zone());
        if (const std::optional<IdExtent> now = ids.extent()) first = now->lowest;
        // Rows may have been deleted at the source before they were loaded, so a window may have no row.
        if (first && !covered.empty()) first = std::min(*first, covered.front().start);
    }
    run.source().send_commit();
    run.source().receive_commit();
    run.give_back_source();
    const bool is_waiting = waits();
    const std::optional<std::int64_t> settled = take_settled(marks, job.lag, request.settle);
    if (marks != earlier) stored.store(job.id, place, marks);
    SettledIds found;
    if (is_waiting) found.waiting = describe_waiting(marks.back(), settled);
    if (extent && *highest < extent->highest)
        found.waiting += (found.waiting.empty() ? "" : " ") + std::string("The source has ids up to ") +
                         std::to_string(extent->highest) +
                         " that its sequence has not given; it may still give smaller ones.";
    if (is_waiting && request.settle == Settle::error)
        raise(sqlstate::not_settled, name + " is not settled: the source may still commit rows of it",
              "Call it again, or pass settle => 'wait' to the job.", found.waiting);
    if (first && settled)
        found.windows = uncovered_windows(job.grid(), {*first, *settled + 1}, find_tried_windows(schema, job), most);
    return found;
}

} // namespace pgci
