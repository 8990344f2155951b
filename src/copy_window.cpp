#include "copy_window.hpp"

#include "compat.hpp"
#include "conninfo.hpp"
#include "guard.hpp"
#include "row_decoder.hpp"
#include "source_cursor.hpp"
#include "spi_writer.hpp"

namespace pgci {

namespace {

// Refuses to run inside a run of its own: a trigger or a function of the target must not call back. It is the one
// piece of state that a session keeps, and unwinding always resets it.
class RunGuard {
  public:
    RunGuard() {
        if (running)
            raise(sqlstate::object_in_use, "copy_incremental is already running in this session",
                  "Do not call it from triggers, defaults, domains or casts of the target.");
        running = true;
    }
    ~RunGuard() { running = false; }
    RunGuard(const RunGuard &) = delete;
    RunGuard &operator=(const RunGuard &) = delete;

  private:
    static inline bool running = false;
};

// While it lives, this server looks once a second whether its client is still there, and ends the session if it is not:
// no work is done for nobody. It is client_connection_check_interval, where that is off.
class ClientWatch {
  public:
    ClientWatch() {
        if (interval_ > 0 || !compat::can_see_client_leave()) return;
        pg_call([] {
            if (!get_timeout_active(CLIENT_CONNECTION_CHECK_TIMEOUT))
                enable_timeout_after(CLIENT_CONNECTION_CHECK_TIMEOUT, milliseconds);
        });
        client_connection_check_interval = milliseconds;
    }
    // The timer may fire once more, and then sees that it has nothing to do.
    ~ClientWatch() { client_connection_check_interval = interval_; }
    ClientWatch(const ClientWatch &) = delete;
    ClientWatch &operator=(const ClientWatch &) = delete;

  private:
    static constexpr int milliseconds = 1000;
    const int interval_ = client_connection_check_interval;
};

void check_may_write() {
    pg_call([] {
        if (RecoveryInProgress())
            ereport(ERROR,
                    (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                     errmsg("cannot call copy_incremental() during recovery"), errhint("Run it on the primary.")));
        PreventCommandIfReadOnly("copy_incremental()");
        PreventCommandIfParallelMode("copy_incremental()");
        if (InSecurityRestrictedOperation())
            ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                            errmsg("cannot call copy_incremental() within security-restricted operation"),
                            errhint("Do not call it from index expressions or materialized views.")));
    });
}

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

// Rows that are read from the table they are written to would be doubled.
void check_not_itself(const SourceSession &source, const std::vector<SourceColumn> &columns, const Target &target) {
    if (!source.is_this_database()) return;
    for (const SourceColumn &column : columns)
        if (column.table == target.oid())
            raise(sqlstate::wrong_object_type, "cannot copy table " + target.name() + " onto itself",
                  "The source is this database; pass another target.");
}

// The run's time zone holds here as it does at the source, so that a timestamp means the same moment as a timestamptz
// on both sides. Returns the level of settings to go back to, 0 for none; an error goes back by itself.
int enter_time_zone(const CopyRequest &request, const TimeZone &zone) {
    if (!request.time_zone) return 0;
    return pg_call([&] {
        const int level = NewGUCNestLevel();
        (void)set_config_option("TimeZone", zone.name(), PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
        return level;
    });
}

void leave_time_zone(int level) {
    if (level > 0) pg_call([=] { AtEOXact_GUC(true, level); });
}

// Memory of the run, which an error leaves to the end of the transaction.
MemoryContext create_run_memory() {
    return pg_call(
        [] { return AllocSetContextCreate(CurTransactionContext, "copy_incremental run", ALLOCSET_DEFAULT_SIZES); });
}

std::int64_t copy_rows(SourceCursor &cursor, const RowDecoder &decoder, SpiWriter &writer, Progress &progress) {
    std::int64_t read = 0;
    std::int64_t written = 0;
    do {
        ++progress.batch;
        Result result = cursor.fetch();
        Batch batch = decoder.decode(result.get(), read);
        read += PQntuples(result.get());
        result.reset();
        written += writer.write(batch);
    } while (!cursor.at_end());
    return written;
}

} // namespace

std::int64_t copy_window(const CopyRequest &request) {
    const RunGuard guard;
    check_may_write();
    const ClientWatch client_watch;

    const TimeZone zone = TimeZone::resolve(request.time_zone ? request.time_zone->c_str() : nullptr);
    std::optional<Window> window;
    if (request.day) window = Window::of_day(*request.day, zone);
    Progress progress{.window = window ? window->text().day.c_str() : "the whole result"};
    const ErrorContext context(show_progress, &progress);

    const SourceQuery query(request.query_template, window ? &window->text() : nullptr);
    std::optional<Target> target;
    if (OidIsValid(request.target)) target = Target::open(request.target);

    SourceSession source(resolve_source(request.src_conninfo), zone);
    const std::vector<SourceColumn> columns = source.describe(query);
    if (!target) target = Target::find(query, columns, source);
    progress.target = target->name().c_str();
    check_not_itself(source, columns, *target);

    const ColumnMap map = map_columns(columns, *target);
    const int settings = enter_time_zone(request, zone);
    const MemoryContext memory = create_run_memory();
    const RowDecoder decoder(map, memory);
    SpiWriter writer(*target, map, request.schema);
    SourceCursor cursor(source, query, map, request.batch);
    const std::int64_t written = copy_rows(cursor, decoder, writer, progress);
    progress.batch = 0;
    source.receive_commit();
    writer.finish();
    leave_time_zone(settings);
    MemoryContextDelete(memory);
    return written;
}

} // namespace pgci
