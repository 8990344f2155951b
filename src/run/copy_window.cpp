#include "run/copy_window.hpp"

#include "server/guard.hpp"
#include "server/user_text.hpp"
#include "request/job_context.hpp"
#include "ledger/coverage.hpp"
#include "ledger/progress.hpp"
#include "target/missing_privileges.hpp"
#include "run/bound_warnings.hpp"
#include "run/later_windows.hpp"
#include "run/load.hpp"
#include "run/lost_columns.hpp"
#include "run/prepared_run.hpp"
#include "run/repair.hpp"
#include "run/row_key.hpp"
#include "run/run_scope.hpp"
#include "run/sequence_sync.hpp"
#include "run/transform_warning.hpp"

namespace pgci {

namespace {

// What CONTEXT says of an error: what is copied where, and which batch.
struct CopyContext {
    const PreparedRun &run;
    std::int64_t batch = 0; // in work; 0 = none
};

void show_context(void *argument) {
    const auto *const context = static_cast<const CopyContext *>(argument);
    const char *const window = context->run.window_name();
    const char *const target = context->run.target_name();
    if (target == nullptr)
        errcontext("copying %s", window);
    else if (context->batch == 0)
        errcontext("copying %s into %s", window, target);
    else
        errcontext("copying %s into %s, batch " INT64_FORMAT, window, target, context->batch);
}

ProgressFacts progress_facts(const PreparedRun &run, std::int64_t run_id) {
    ProgressFacts facts{.target = run.target().oid(), .job_id = run.key().job_id, .run_id = run_id};
    facts.window = run.window();
    facts.snapshot_at = run.snapshot_at();
    return facts;
}

void warn_limit(const PreparedRun &run) {
    const std::string warning = run.limit_warning();
    if (warning.empty()) return;
    const std::string message = subject_of(run.request(), run.target().name()) + ": " + warning;
    const char *const text = message.c_str();
    pg_call([=] {
        ereport(WARNING, (errcode(ERRCODE_WARNING), errmsg_internal("%s", text),
                          errhint("Leave out LIMIT and OFFSET, or write the window in the query with $1 and $2.")));
    });
}

// Adds a hint to the error for a row that no partition takes.
void add_hint(ErrorData *error, Method method) {
    if (error->sqlerrcode != ERRCODE_CHECK_VIOLATION || error->hint != nullptr || error->message_id == nullptr ||
        std::strstr(error->message_id, "no partition of relation") == nullptr)
        return;
    const char *const hint = method == Method::copy
                                 ? "Attach a partition for the row and run it again. Method copy does not find "
                                   "partitions that are attached while it runs."
                                 : "Attach a partition for the row and run it again.";
    error->hint = pg_call([=] { return MemoryContextStrdup(CurTransactionContext, hint); });
}

// Adds a hint to the error for rows that exist by another unique key than the one that identifies them.
void add_hint_of_other_key(ErrorData *error, Mode mode, const LoadStatements &statements) {
    if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION || error->hint != nullptr || error->constraint_name == nullptr ||
        (mode != Mode::skip && mode != Mode::upsert))
        return;
    const std::string hint = "Mode " + std::string(word_of(mode)) + " finds existing rows by (" + statements.key +
                             ") only. If rows exchange their values of another unique key, use mode replace, or make "
                             "that constraint DEFERRABLE INITIALLY DEFERRED.";
    error->hint = pg_call([text = hint.c_str()] { return MemoryContextStrdup(CurTransactionContext, text); });
}

// Adds a hint to what the extension that executes the statements refuses.
void add_hint_of_other_planner(ErrorData *error, const LoadPlan &plan) {
    if (!plan.is_of_other_planner || error->sqlerrcode != ERRCODE_FEATURE_NOT_SUPPORTED || error->hint != nullptr)
        return;
    error->hint = pg_call([] {
        return MemoryContextStrdup(
            CurTransactionContext,
            "An extension, such as Citus, executes the statements of this run. replace_where must not "
            "depend on settings: compare columns with $1 and $2, without a cast.");
    });
}

void check_all_privileges(const PreparedRun &run, const LoadPlan &plan) {
    MissingPrivileges more = find_missing_for_sequences(run.request(), run.target(), plan.columns);
    if (run.request().verify) more.add(find_missing_privileges(run.verified_rows(plan)));
    check_privileges(plan, run.target(), run.needed_on_target(), more);
}

RepairedRows run_window(const CopyRequest &request, const ProcedureScope &procedure, ConnectionKeeper *keeper) {
    PreparedRun run(request, TargetUse::write, procedure.memory(), keeper);
    CopyContext context{.run = run};
    const ErrorContext shown_context(show_context, &context);
    const JobContext job_context(request.job);
    const Ledger ledger(request.schema);
    if (!run.open_in_turn(ledger)) {
        // A run that begins here has no entry yet.
        if (request.run_id != 0) ledger.end_skipped(request.run_id);
        // Other runs have loaded all of it, perhaps calls or another job.
        if (request.job_id != 0 && run.window())
            Coverage(request.schema, run.window()->kind()).add(request.job_id, run.window()->span());
        return {};
    }
    warn_limit(run);
    if (!request.is_one_of_many) {
        warn_of_bounds(request, run.target().name());
        if (run.window()) warn_of_later_windows(request.schema, request, run.target().oid(), {run.window()->span()});
    }
    run.adapt_target();
    const std::vector<std::string> key = request.repair ? key_of(run) : std::vector<std::string>{};
    LoadPlan plan = request.repair ? run.plan_of_repair(key) : run.plan();
    check_all_privileges(run, plan);
    // The definition of a job has warned.
    if (request.job_id == 0) warn_of_left_null(request, run.target(), plan);
    if (!request.is_one_of_many) warn_of_transform(run, plan);
    std::optional<LoadCheck> check;
    if (request.verify) check.emplace(run.comparison({}), run.target().name());
    const std::int64_t run_id = request.run_id != 0
                                    ? request.run_id
                                    : ledger.begin(run.key(), request.recorded_mode(), word_of(request.method));
    RunProgress progress(progress_facts(run, run_id));
    LoadRun load{.prepared = run,
                 .plan = plan,
                 .procedure = procedure,
                 .ledger = ledger,
                 .run_id = run_id,
                 .progress = progress,
                 .batch_in_work = context.batch,
                 .check = check ? &*check : nullptr,
                 .statistics = {.is_settled = run.is_settled(), .ddl = run.ddl()}};
    std::int64_t updated = 0;
    try {
        if (request.repair)
            updated = load_differences(load, key);
        else if (request.method == Method::copy)
            load_by_copy(load);
        else
            load_by_cursor(load);
    } catch (const PgError &error) {
        add_hint(error.data(), request.method);
        add_hint_of_other_key(error.data(), request.mode, plan.statements);
        add_hint_of_other_planner(error.data(), plan);
        for (const std::string &statement :
             {plan.statements.insert, plan.statements.merge, plan.statements.remove, plan.statements.left})
            hide_statement(error.data(), statement);
        throw;
    }
    if (keeper != nullptr) run.give_back_source();
    return {.inserted = load.statistics.rows_written - updated,
            .updated = updated,
            .deleted = load.statistics.rows_deleted,
            .compared = load.statistics.source_rows.value_or(0)};
}

RepairedRows run_in_scope(const CopyRequest &request, ConnectionKeeper *keeper) {
    const RunGuard guard;
    check_may_write();
    const ProcedureScope procedure(request.commit_batches);
    const ClientWatch client_watch;
    const RepairedRows rows = run_window(request, procedure, keeper);
    procedure.finish();
    return rows;
}

} // namespace

std::int64_t copy_window(const CopyRequest &request, ConnectionKeeper *keeper) {
    const RepairedRows rows = run_in_scope(request, keeper);
    return rows.inserted + rows.updated;
}

RepairedRows repair_window(const CopyRequest &request, ConnectionKeeper *keeper) {
    return run_in_scope(request, keeper);
}

RunKey check_request(const CopyRequest &request) {
    const RunGuard guard;
    check_may_write();
    PreparedRun run(request, TargetUse::write);
    run.open();
    check_all_privileges(run, run.plan());
    if (request.verify) (void)run.comparison({});
    run.find_source_tables();
    run.source().send_commit();
    run.source().receive_commit();
    return run.key();
}

} // namespace pgci
