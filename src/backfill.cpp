// Many days, and what becomes of each of them:
//
//     to do --> running --> done      its rows and its entry "succeeded" in the ledger, in one commit
//                      \--> failed    nothing of its rows; an entry "failed" with SQLSTATE and message
//
// First, one look at the source and the target finds what would be wrong with every day, and is an error at once. Then
// the ledger says which days are to do. A day that fails stops no other. A cancel stops all: the day in hand is rolled
// back and stays to do, those done stay. Nothing but the ledger remembers a backfill, so a killed one is continued by
// the same call.
#include "backfill.hpp"

#include "copy_window.hpp"
#include "day_run.hpp"
#include "request_check.hpp"
#include "run_scope.hpp"

namespace pgci {

void backfill(const BackfillRequest &request) {
    if (request.jobs > 1)
        raise(sqlstate::feature_not_supported, "jobs above 1 are not supported yet", "Use jobs => 1.");
    const ProcedureScope procedure(true);
    CopyRequest copy = request.copy;
    RunKey key = check_request(copy);
    copy.target = key.target;
    // A day that another call has copied meanwhile is what was asked for.
    if (copy.mode == Mode::append && copy.on_rerun == OnRerun::error) copy.on_rerun = OnRerun::skip;
    const TimeZone zone = TimeZone::resolve(copy.time_zone ? copy.time_zone->c_str() : nullptr);
    const std::vector<Window> windows = request.days.windows(zone);
    const std::vector<std::size_t> to_do = Ledger(copy.schema).find_windows(key, windows, request.reprocess);
    BackfillReport report(windows.size(), to_do.size(), request.reprocess);
    procedure.commit();

    for (const std::size_t place : to_do) {
        copy.day = request.days.day(place);
        key.window = windows[place];
        report.add(key.window->name(), run_day(copy, key, procedure));
    }
    report.finish();
    procedure.finish();
}

} // namespace pgci
