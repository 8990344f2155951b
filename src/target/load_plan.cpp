#include "target/load_plan.hpp"

#include "server/guard.hpp"
#include "server/spi.hpp"
#include "server/user_text.hpp"
#include "target/base_table.hpp"
#include "target/merge_target.hpp"
#include "target/other_planner.hpp"
#include "target/precision.hpp"

namespace pgci {

namespace {

void check_covers_key(const BatchRelation &batch, const ConflictKey &key, const Target &target) {
    for (const std::string &name : key.columns)
        if (std::find(batch.columns.begin(), batch.columns.end(), name) == batch.columns.end())
            raise(sqlstate::no_such_key,
                  "key column \"" + name + "\" of target " + target.name() + " is not among the source columns",
                  "Add it to the query, or pass other key_columns.");
}

// Raises the errors of an update_where, before anything is written.
void check_analyzes(const std::string &insert, const Target &target) {
    try {
        pg_call([sql = insert.c_str(), used = target.used_for(ACL_INSERT)] {
            spi_connect();
            (void)spi_prepare(sql, used);
            spi_finish();
        });
    } catch (const PgError &error) {
        hide_statement(error.data(), insert);
        throw;
    }
}

// Uses MERGE where it does what INSERT ... ON CONFLICT does. A key with NULL is only found in memory, and Citus supports no MERGE
// from a function.
void add_merge(LoadStatements &statements, const Upsert &upsert, const Target &target, const BatchRelation &batch) {
    if (statements.checks_slice || (statements.checks_key && statements.order.empty())) return;
    if (!batch.with.empty() && reads_citus_table(batch.select())) return;
    const MergeTarget merged = look_at_merge_target(target, batch.columns);
    if (!merged.is_possible) return;
    const std::string merge = upsert.merge();
    if (merge.empty()) return;
    statements.merge = batch.with_list() + merge;
    statements.queues_triggers = merged.queues_triggers;
}

bool is_insert_of_other_planner(const CopyRequest &request, const Target &target, const std::string &insert) {
    try {
        return is_planned_by_other(target, insert);
    } catch (const PgError &error) {
        ErrorData *const data = error.data();
        if (request.update_where && data->sqlerrcode == ERRCODE_FEATURE_NOT_SUPPORTED && data->hint == nullptr)
            data->hint = pg_call([] {
                return MemoryContextStrdup(CurTransactionContext,
                                           "An extension, such as Citus, executes the INSERT. update_where must not "
                                           "depend on settings: compare columns without a cast.");
            });
        throw;
    }
}

} // namespace

LoadPlan make_plan(const CopyRequest &request, const std::vector<SourceColumn> &columns, const Target &target,
                   const std::string &slice) {
    LoadPlan plan;
    plan.map = request.transform ? carry_to_transform(columns) : carry_to_target(columns, target);
    BatchRelation batch = request.transform ? transformed_batch(*request.transform, plan.map, target, request.schema)
                                            : plain_batch(plan.map, columns, target, request.schema);
    if (!request.transform)
        batch.changes_values = std::any_of(columns.begin(), columns.end(), [&](const SourceColumn &column) {
            return !column.is_left_out && !find_lost_precision(column, *target.find_column(column.name)).empty();
        });
    plan.columns = batch.columns;
    if (request.transform) plan.transformed = batch.select();
    std::optional<ConflictKey> key;
    if (request.mode == Mode::skip || request.mode == Mode::upsert) {
        key = find_conflict_key(target, request.key_columns);
        check_covers_key(batch, *key, target);
    }
    if (request.repair || request.mode == Mode::replace)
        check_hides_no_rows(target, request.repair ? "a repair" : "mode replace");
    std::optional<Upsert> upsert;
    if (request.mode == Mode::upsert) upsert.emplace(request, target, batch, *key);
    plan.statements = build_statements(request.mode, target, batch, key, slice, upsert ? &*upsert : nullptr);
    plan.is_of_other_planner = is_insert_of_other_planner(request, target, plan.statements.insert);
    if (plan.is_of_other_planner) {
        check_other_planner(target, request.mode);
        if (request.on_error == OnError::reject) plan.statements.return_rows();
    } else if (upsert) {
        add_merge(plan.statements, *upsert, target, batch);
    }
    if (request.update_where) check_analyzes(plan.statements.insert, target);
    if (request.method != Method::cursor)
        plan.insert = build_statements(Mode::append, target, batch, std::nullopt, "").insert;
    plan.slice = slice;
    return plan;
}

void replan(LoadPlan &plan, const CopyRequest &request, const std::vector<SourceColumn> &columns, const Target &target,
            const std::string &slice) {
    LoadPlan now = make_plan(request, columns, target, slice);
    if (now.map != plan.map)
        raise(sqlstate::not_in_prerequisite_state,
              "columns of target " + target.name() + " changed while the run was under way", "Run it again.",
              "The rows that the source sends no longer fit them.");
    plan.statements = std::move(now.statements);
    plan.insert = std::move(now.insert);
    plan.is_of_other_planner = now.is_of_other_planner;
    plan.columns = std::move(now.columns);
}

int batch_of(const CopyRequest &request, const LoadPlan &plan) {
    constexpr int standard_batch = 2000;
    constexpr int large_batch = 50000;
    const bool suits_large = plan.is_of_other_planner && !request.commit_batches && request.on_error == OnError::stop;
    return request.batch.value_or(suits_large ? large_batch : standard_batch);
}

void check_inserts_are_local(const Target &target, const std::string &insert, Method method) {
    if (is_planned_by_other(target, insert))
        raise(
            sqlstate::feature_not_supported,
            "method " + std::string(word_of(method)) + " cannot write to " + target.name(), "Use method => 'cursor'.",
            "An extension handles INSERTs into it, for example because the table is distributed over several servers.");
}

} // namespace pgci
