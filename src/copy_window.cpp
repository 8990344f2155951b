#include "copy_window.hpp"

#include "conninfo.hpp"
#include "guard.hpp"
#include "load_plan.hpp"
#include "rerun.hpp"
#include "row_decoder.hpp"
#include "run_scope.hpp"
#include "slice.hpp"
#include "source_cursor.hpp"
#include "spi_writer.hpp"

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

// Memory of the run, which an error leaves to the end of the transaction or of the procedure's call.
MemoryContext create_run_memory(MemoryContext parent) {
    return pg_call([=] { return AllocSetContextCreate(parent, "copy_incremental run", ALLOCSET_DEFAULT_SIZES); });
}

Window make_window(const CopyRequest &request, const TimeZone &zone) {
    return request.data_interval != nullptr ? Window::of_range(request.data_interval, zone)
                                            : Window::of_day(*request.day, zone);
}

std::int64_t run_window(const CopyRequest &request, const ProcedureScope &procedure) {
    const TimeZone zone = TimeZone::resolve(request.time_zone ? request.time_zone->c_str() : nullptr);
    std::optional<Window> window;
    if (request.day || request.data_interval != nullptr) window = make_window(request, zone);
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
    check_not_itself(source, columns, *target);

    const LoadPlan plan = make_plan(request, columns, *target, slice);
    const MemoryContext memory = create_run_memory(procedure.memory());
    const RowDecoder decoder(plan.map, memory);
    SourceCursor cursor(source, query, plan.map, request.batch);
    const std::int64_t run_id = ledger.begin(key, mode_name(request.mode), "cursor");
    RunStatistics statistics;
    std::optional<SpiWriter> writer(std::in_place, plan.statements, zone);
    statistics.rows_deleted = writer->remove();
    do {
        if (!writer) writer.emplace(plan.statements, zone);
        progress.batch = statistics.batches + 1;
        Result result = cursor.fetch();
        Batch batch = decoder.decode(result.get(), statistics.rows_read, statistics.bytes);
        const int rows = PQntuples(result.get());
        statistics.rows_read += rows;
        if (rows > 0) ++statistics.batches;
        result.reset();
        statistics.rows_written += writer->write(batch);
        if (request.commit_batches || cursor.at_end()) {
            if (cursor.at_end()) source.receive_commit();
            progress.batch = 0;
            writer->finish();
            writer.reset();
            ledger.record(run_id, statistics, cursor.at_end() ? "succeeded" : "partial");
            procedure.commit();
            if (request.commit_batches) source.connection().set_written("The batches committed before stay written");
        }
    } while (!cursor.at_end());
    MemoryContextDelete(memory);
    return statistics.rows_written;
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
