#include "run/copy_window.hpp"

#include "server/guard.hpp"
#include "connection/conninfo.hpp"
#include "template/slice.hpp"
#include "source/settled_window.hpp"
#include "source/source_plan.hpp"
#include "ledger/progress.hpp"
#include "ledger/rerun.hpp"
#include "rows/source_cursor.hpp"
#include "run/copy_load.hpp"
#include "run/cursor_load.hpp"

namespace pgci {

namespace {

// What is being copied where, for CONTEXT.
struct Progress {
    const char *window;
    const char *target = nullptr;
    std::int64_t batch = 0;
};

void show_progress(void *argument) {
    const auto *const progress = static_cast<const Progress *>(argument);
    if (progress->target == nullptr)
        errcontext("copying %s", progress->window);
    else if (progress->batch == 0)
        errcontext("copying %s into %s", progress->window, progress->target);
    else
        errcontext("copying %s into %s, batch " INT64_FORMAT, progress->window, progress->target, progress->batch);
}

ProgressFacts progress_facts(const RunKey &key, std::int64_t run_id, SourceSession &source,
                             const RemoteConnection::Statement &declare) {
    ProgressFacts facts{.target = key.target, .run_id = run_id};
    if (key.window) facts.window_start = key.window->start();
    if (key.window) facts.window_end = key.window->end();
    if (pgstat_track_activities) facts.estimated_rows = estimate_rows(source, declare);
    return facts;
}

std::int64_t run_window(const CopyRequest &request, const ProcedureScope &procedure) {
    const TimeZone zone = TimeZone::resolve(request.time_zone ? request.time_zone->c_str() : nullptr);
    const std::optional<Window> window = request.window(zone);
    const WindowText *const text = window ? &window->text() : nullptr;
    Progress progress{.window = window ? window->name().c_str() : "the whole result"};
    const ErrorContext context(show_progress, &progress);

    const SourceQuery query(request.query_template, text);
    const std::string slice = request.replace_where ? slice_condition(*request.replace_where, text) : "";
    if (request.transform) check_transform(*request.transform);
    std::optional<Target> target;
    if (OidIsValid(request.target)) target = Target::open(request.target);
    const ConnectionOptions options = resolve_source(request.src_conninfo);

    // The run takes its place before the source's snapshot is taken, or takes the snapshot anew if another run wrote
    // meanwhile: what an earlier run of the window wrote is never newer than what this one reads.
    const Ledger ledger(request.schema);
    RunKey key{.source = options.identity(), .query_hash = hash_query(request.query_template), .window = window};
    std::optional<RunLock> place;
    const auto take_place = [&] {
        key.target = target->oid();
        place.emplace(key, request.commit_batches);
        progress.target = target->name().c_str();
        return may_begin(request, ledger, key);
    };
    if (target && !take_place()) return 0;
    const TimestampTz before_source = GetCurrentTimestamp();
    SourceSession source(options, zone, procedure.memory());
    std::vector<SourceColumn> columns = source.describe(query);
    if (!target) {
        target = Target::find(query, columns, source);
        if (!take_place()) return 0;
        if (place->had_to_wait() || ledger.has_written_since(key, before_source)) {
            source.restart(zone);
            columns = source.describe(query);
        }
    }
    if (window && settle_window(source, zone, *window, request.settle)) columns = source.describe(query);
    check_not_itself(source, columns, *target);

    LoadPlan plan = make_plan(request, columns, *target, slice);
    std::optional<LoadCheck> check;
    if (request.verify) check.emplace(source, query, columns, *target, slice, text, zone);
    const std::int64_t run_id =
        request.run_id != 0 ? request.run_id : ledger.begin(key, word_of(request.mode), word_of(request.method));
    const RunProgress shown(progress_facts(key, run_id, source, declare_statement(query, plan.map)));
    LoadRun run{.request = request,
                .procedure = procedure,
                .source = source,
                .query = query,
                .columns = columns,
                .slice = slice,
                .target = *target,
                .plan = plan,
                .zone = zone,
                .ledger = ledger,
                .progress = shown,
                .run_id = run_id,
                .batch_in_work = progress.batch,
                .check = check ? &*check : nullptr};
    if (request.method == Method::copy)
        load_by_copy(run);
    else
        load_by_cursor(run);
    return run.statistics.rows_written;
}

} // namespace

std::int64_t copy_window(const CopyRequest &request) {
    const RunGuard guard;
    check_may_write();
    const ProcedureScope procedure(request.commit_batches);
    const ClientWatch client_watch;
    const std::int64_t rows_written = run_window(request, procedure);
    procedure.finish();
    return rows_written;
}

} // namespace pgci
