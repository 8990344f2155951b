#include "ledger/forget.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"
#include "server/named_relation.hpp"
#include "server/shown_text.hpp"
#include "ledger/claim.hpp"
#include "ledger/coverage.hpp"
#include "ledger/id_marks.hpp"
#include "ledger/job_windows.hpp"
#include "ledger/ledger.hpp"
#include "ledger/related_tables.hpp"

namespace pgci {

namespace {

using Bounds = Ledger::Bounds;

Bounds bounds_of(const ForgottenWindows &windows, const TimeZone &zone) {
    Bounds bounds;
    if (windows.ids) return {windows.ids->start, windows.ids->end};
    if (windows.first_day) bounds.start = Window::of_day(*windows.first_day, zone).start();
    if (windows.last_day) bounds.end = Window::of_day(*windows.last_day, zone).end();
    return bounds;
}

// Raises 22023 if the bounds split a window of the job: a window of which only a part is forgotten could never be loaded again.
void check_whole_windows(const Job &job, const Bounds &bounds) {
    if (!job.has_windows() || job.kind() == WindowKind::ids) return;
    const WindowGrid grid = job.grid();
    const auto is_between = [&](const std::optional<std::int64_t> &bound) {
        return !bound || grid.start_of(grid.number_at(*bound)) == *bound;
    };
    if (is_between(bounds.start) && is_between(bounds.end)) return;
    raise(sqlstate::invalid_parameter, "the days are not whole windows of job \"" + shorten(job.name) + "\"",
          "Pass the first and the last day of its windows, which copy_incremental_runs shows as data_interval.");
}

bool owns(Oid relation) {
    return pg_call([=] { return compat::owns_relation(relation, GetUserId()); });
}

// Only a role that can write to the table may make the runs of others wait. PostgreSQL code.
void check_privilege_to_write(Oid relation) {
    if (has_any_privilege(relation, ACL_INSERT | ACL_UPDATE | ACL_DELETE)) return;
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("permission denied to forget windows of %s", get_rel_name(relation)),
                    errhint("This needs INSERT, UPDATE or DELETE on it, or on a column of it.")));
}

std::vector<Job> find_jobs(Oid schema, const std::vector<std::string> &tables, bool all,
                           const std::optional<std::string> &name) {
    const Jobs jobs(schema);
    std::vector<Job> found = jobs.find_into(tables, all || name);
    if (!name) return found;
    const Job job = jobs.find(*name, JobUse::manage);
    std::erase_if(found, [&](const Job &other) { return other.id != job.id; });
    if (found.empty())
        raise(sqlstate::invalid_parameter, "job \"" + shorten(job.name) + "\" does not load into this target",
              "Pass the job's target, which the view copy_incremental_jobs shows.");
    return found;
}

// What a run that is under way may load of the windows, whatever its time zone is. No two zones differ by more than two days.
std::optional<Window> claimed_window(const ForgottenWindows &windows) {
    constexpr DateADT year_100 = -693959;
    constexpr DateADT year_9900 = 2885427;
    if (windows.ids) return Window::of_ids(*windows.ids);
    if (!windows.first_day || !windows.last_day || *windows.first_day < year_100 || *windows.last_day > year_9900)
        return std::nullopt;
    const TimeZone zone = TimeZone::resolve(nullptr);
    return Window::of_span(
        {Window::of_day(*windows.first_day - 2, zone).start(), Window::of_day(*windows.last_day + 2, zone).end()},
        zone);
}

} // namespace

std::int64_t forget(Oid schema, Oid target, const ForgottenWindows &windows, const std::optional<std::string> &job) {
    const bool all = owns(target) || owns(OwnTable(schema, "pgci_runs").oid());
    if (!all) pg_call([=] { check_privilege_to_write(target); });
    const std::vector<std::string> tables = find_parts(target);
    const Ledger ledger(schema);
    // A run that is under way would otherwise record its window as loaded after this. The claim is on every source.
    const Claim claim(schema, {.target = target, .source = {.place = "0"}, .window = claimed_window(windows)}, false,
                      false);
    const WindowKind kind = windows.ids ? WindowKind::ids : WindowKind::time;
    // Of calls
    const Oid owner = all ? InvalidOid : pg_call([] { return GetUserId(); });
    std::int64_t forgotten = 0;
    for (const Job &of_target : find_jobs(schema, tables, all, job)) {
        if (!windows.are_all() && job && of_target.has_windows()) check_kind(of_target, kind);
        if (!windows.are_all() && of_target.kind() != kind) continue;
        const Bounds bounds = bounds_of(windows, of_target.zone());
        check_whole_windows(of_target, bounds);
        forgotten += ledger.forget(tables, of_target.id, InvalidOid, of_target.kind(), bounds);
        // Runs of calls and of dropped jobs would count as those of the job.
        if (job) forgotten += ledger.forget(tables, 0, owner, of_target.kind(), bounds, hash_query(of_target.request));
        Coverage(schema, of_target.kind()).remove(of_target.id, bounds.start, bounds.end);
        // The ids may have begun again.
        if (windows.are_all()) IdMarks(schema).drop(of_target.id);
    }
    if (!job) forgotten += ledger.forget(tables, 0, owner, kind, bounds_of(windows, TimeZone::resolve(nullptr)));
    claim.release();
    return forgotten;
}

} // namespace pgci
