#include "copy_window.hpp"

#include "compat.hpp"
#include "conninfo.hpp"
#include "guard.hpp"
#include "ledger.hpp"
#include "row_decoder.hpp"
#include "slice.hpp"
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

// Where row security hides rows from the user, a slice would be deleted in part and then doubled.
void check_sees_all_rows(const Target &target) {
    const Oid relation = target.oid();
    if (pg_call([=] { return check_enable_rls(relation, InvalidOid, true); }) != RLS_ENABLED) return;
    raise(sqlstate::feature_not_supported, "mode replace cannot be used where row-level security applies to you",
          "Use mode append, skip or upsert, or a role with BYPASSRLS.",
          "Rows of " + target.name() + " that you may not see would stay and be doubled.");
}

void check_covers_key(const BatchRelation &batch, const ConflictKey &key, const Target &target) {
    for (const std::string &name : key.columns)
        if (std::find(batch.columns.begin(), batch.columns.end(), name) == batch.columns.end())
            raise(sqlstate::no_such_key,
                  "key column \"" + name + "\" of target " + target.name() + " is not among the source columns",
                  "Add it to the query, or pass other key_columns.");
}

// Memory of the run, which an error leaves to the end of the transaction or of the procedure's call.
MemoryContext create_run_memory(MemoryContext parent) {
    return pg_call([=] { return AllocSetContextCreate(parent, "copy_incremental run", ALLOCSET_DEFAULT_SIZES); });
}

// A procedure may commit only where the client's statement is the procedure's call itself.
class ProcedureScope {
  public:
    explicit ProcedureScope(bool active) : active_(active) {
        if (active_)
            pg_call([] {
                if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
            });
    }
    ProcedureScope(const ProcedureScope &) = delete;
    ProcedureScope &operator=(const ProcedureScope &) = delete;

    // What lives as long as the run.
    MemoryContext memory() const { return active_ ? PortalContext : CurTransactionContext; }

    void commit() const {
        if (!active_) return;
        pg_call(
            [] {
                SPI_commit();
                EnsurePortalSnapshotExists();
            },
            memory());
    }
    // At the end of the run; an error leaves it to the abort.
    void finish() const {
        if (active_) pg_call([] { SPI_finish(); });
    }

  private:
    bool active_;
};

Window make_window(const CopyRequest &request, const TimeZone &zone) {
    return request.data_interval != nullptr ? Window::of_range(request.data_interval, zone)
                                            : Window::of_day(*request.day, zone);
}

// A snapshot of the target that is older than what the last run wrote would leave its rows in the slice, and double
// them.
void check_sees_last_run(const Ledger &ledger, const RunKey &key) {
    if (!IsolationUsesXactSnapshot() || !ledger.has_written_unseen(key)) return;
    raise(sqlstate::serialization_failure, "could not serialize access due to a concurrent run of the same window",
          "Roll back and run again.", "The transaction began before that run ended.");
}

// May the run begin, after a look at the ledger? Only append asks: the other modes are harmless to repeat.
bool may_begin(const CopyRequest &request, const Ledger &ledger, const RunKey &key) {
    if (request.mode == Mode::replace) check_sees_last_run(ledger, key);
    if (request.mode != Mode::append) return true;
    const std::optional<EarlierRun> earlier = ledger.find_earlier(key);
    if (!earlier) return true;
    const std::string message = (key.window ? "window " + key.window->name() : std::string("the whole result")) +
                                (earlier->is_partial ? " was loaded in part" : " was already loaded");
    const char *const text = message.c_str();
    const char *const run = earlier->description.c_str();
    // A part must not pass for the whole.
    const bool refuses = request.on_rerun == OnRerun::skip && earlier->is_partial;
    switch (refuses ? OnRerun::error : request.on_rerun) {
    case OnRerun::error:
        raise(sqlstate::already_loaded, message,
              "Use mode replace, upsert or skip; or on_rerun => 'skip' or 'run'; or copy_incremental_forget() if the "
              "rows are gone.",
              "According to copy_incremental_runs, " + earlier->description + ".");
    case OnRerun::skip:
        pg_call([=] { ereport(NOTICE, (errmsg("%s, skipping", text), errdetail_internal("%s", run))); });
        return false;
    case OnRerun::run:
        pg_call([=] { ereport(WARNING, (errmsg("%s, loading it again", text), errdetail_internal("%s", run))); });
        return true;
    }
    return true;
}

// How the target is written: texts that do not change during the run.
struct LoadPlan {
    ColumnMap map;
    LoadStatements statements;
};

LoadPlan make_plan(const CopyRequest &request, const std::vector<SourceColumn> &columns, const Target &target,
                   const std::string &slice) {
    LoadPlan plan;
    plan.map = request.transform ? carry_to_transform(columns) : carry_to_target(columns, target);
    const BatchRelation batch = request.transform
                                    ? transformed_batch(*request.transform, plan.map, target, request.schema)
                                    : plain_batch(plan.map, target, request.schema);
    std::optional<ConflictKey> key;
    if (request.mode == Mode::skip || request.mode == Mode::upsert) {
        key = find_conflict_key(target, request.key_columns);
        check_covers_key(batch, *key, target);
    }
    if (request.mode == Mode::replace) check_sees_all_rows(target);
    plan.statements = build_statements(request.mode, target, batch, key, slice);
    return plan;
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
