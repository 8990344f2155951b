// Many days, and what becomes of each of them:
//
//     to do --> running --> done      its rows and its entry "succeeded" in the ledger, in one commit
//                      \--> failed    nothing of its rows; an entry "failed" with SQLSTATE and message
//
// First, one look at the source and the target finds what would be wrong with every day, and is an error at once. Then
// the ledger says which days are to do. With jobs above 1, background workers take the days one by one; this session
// writes down what they report, and does what they leave over, or all where no worker could be had. A day that fails
// stops no other. A cancel stops all: the days in hand are rolled back and stay to do, those done stay. Nothing but the
// ledger remembers a backfill, so a killed one is continued by the same call.
#include "many/backfill.hpp"

#include "server/memory.hpp"
#include "run/copy_window.hpp"
#include "run/run_scope.hpp"
#include "many/day_run.hpp"
#include "many/worker_pool.hpp"

namespace pgci {

namespace {

// A backfill under way. Its places are those of the days that are to do.
struct Backfill {
    const BackfillRequest &request;
    const ProcedureScope &procedure;
    CopyRequest day;
    RunKey key;
    std::vector<Window> windows;
    std::vector<DateADT> days;
    BackfillReport report;

    void record(std::size_t place, const DayResult &result);
    void run_here(std::size_t place);
    void run_in_workers();
};

// Tells the user, and the ledger of a failure. Leaves no snapshot behind.
void Backfill::record(std::size_t place, const DayResult &result) {
    const TemporaryMemory memory;
    key.window = windows[place];
    if (result.failure) {
        procedure.commit();
        Ledger(day.schema)
            .record_failure(key, word_of(day.mode), word_of(day.method), result.started_at, *result.failure);
        procedure.rest();
    }
    report.add(key.window->name(), result);
}

void Backfill::run_here(std::size_t place) {
    procedure.commit();
    day.day = days[place];
    record(place, run_day(day, procedure, DayRunner::session));
}

// A worker cannot see this session's temporary tables.
void check_target_is_shared(Oid target) {
    if (pg_call([=] { return get_rel_persistence(target); }) != RELPERSISTENCE_TEMP) return;
    raise(sqlstate::feature_not_supported, "background workers cannot write into a temporary table",
          "Use jobs => 1, or a table that is not temporary.");
}

void warn_unused(const RunFailure &reason) {
    const char *const text = reason.message.c_str();
    const int code = reason.code;
    pg_call([=] { ereport(WARNING, (errcode(code), errmsg("a background worker could not be used: %s", text))); });
}

void Backfill::run_in_workers() {
    const int wanted = std::min(request.copy.jobs, static_cast<int>(days.size()));
    WorkerPool pool({.call = request.call, .target = day.target, .days = days, .workers = wanted});
    const int launched = pool.size();
    if (launched < wanted)
        pg_call([=] {
            ereport(NOTICE,
                    (errmsg("%d of %d background workers could be started", launched, wanted),
                     launched > 0 ? errdetail("So many days are copied at once.")
                                  : errdetail("This session copies the days one after the other."),
                     errhint("Raise max_worker_processes or copy_incremental.max_workers, or use fewer jobs.")));
        });
    while (const std::optional<WorkerMessage> message = pool.next())
        if (message->kind == MessageKind::ended) record(message->day, message->result);
    if (const std::optional<RunFailure> reason = pool.take_last_words()) warn_unused(*reason);
    // What workers that ended early have left over.
    while (const std::optional<std::uint32_t> place = pool.take_day()) run_here(*place);
}

} // namespace

void backfill(const BackfillRequest &request) {
    const ProcedureScope procedure(true);
    const ClientWatch client_watch;
    RunKey key = check_request(request.copy);
    if (request.copy.jobs > 1) check_target_is_shared(key.target);
    const CopyRequest day = make_day_request(request.copy, key.target);
    const TimeZone zone = TimeZone::resolve(day.time_zone ? day.time_zone->c_str() : nullptr);
    const std::vector<Window> all = request.days.windows(zone);
    std::vector<Window> windows;
    std::vector<DateADT> days;
    const Ledger ledger(day.schema);
    ledger.mark_crashed();
    procedure.commit();
    for (const std::size_t place : ledger.find_windows(key, all, request.copy.reprocess)) {
        windows.push_back(all[place]);
        days.push_back(request.days.day(place));
    }
    const BackfillReport report(all.size(), days.size(), request.copy.reprocess);
    procedure.rest();

    Backfill run{request, procedure, day, key, std::move(windows), std::move(days), report};
    if (request.copy.jobs > 1 && run.days.size() > 1)
        run.run_in_workers();
    else
        for (std::size_t place = 0; place < run.days.size(); ++place) run.run_here(place);
    run.report.finish();
    procedure.finish();
}

} // namespace pgci
