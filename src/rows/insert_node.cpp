#include "rows/insert_node.hpp"

#include "server/compat.hpp"
#include "rows/batch.hpp"
#include "rows/multi_insert.hpp"

namespace pgci {

namespace {

struct InsertNodeState {
    CustomScanState node; // must be the first member
    ModifyTableState *insert;
    bool inserts_many;
    MultiInsert rows;
};

InsertNodeState *state_of(CustomScanState *node) { return reinterpret_cast<InsertNodeState *>(node); }

// Reads what RETURNING says of a row.
void check(TupleTableSlot *row) {
    slot_getsomeattrs(row, 2);
    const bool is_outside = !row->tts_isnull[0];
    const bool has_null_key = DatumGetBool(row->tts_values[1]);
    if (is_outside || has_null_key) BatchInHand::get().check(is_outside, row->tts_values[0], has_null_key);
}

void check_stored(const InsertNodeState *state) {
    if (reinterpret_cast<const ModifyTable *>(state->insert->ps.plan)->returningLists == NIL) return;
    for (int i = 0; i < state->rows.stored(); ++i) {
        ResetExprContext(state->insert->ps.ps_ExprContext);
        check(state->rows.returning(i));
    }
}

// Does what ExecModifyTable() of the server does for an INSERT.
void insert_many(InsertNodeState *state) {
    ModifyTableState *const insert = state->insert;
    EState *const executor = insert->ps.state;
    ExecBSInsertTriggers(executor, insert->rootResultRelInfo);
    while (true) {
        ResetPerTupleExprContext(executor);
        TupleTableSlot *const row = ExecProcNode(outerPlanState(insert));
        if (TupIsNull(row)) break;
        state->rows.add(row);
        check_stored(state);
    }
    state->rows.flush();
    check_stored(state);
    ExecASInsertTriggers(executor, insert->rootResultRelInfo, insert->mt_transition_capture);
    insert->mt_done = true;
}

// Returns no row. Executed once.
TupleTableSlot *execute(CustomScanState *node) {
    InsertNodeState *const state = state_of(node);
    if (state->inserts_many) {
        if (!state->insert->mt_done) insert_many(state);
        return nullptr;
    }
    TupleTableSlot *row = ExecProcNode(&state->insert->ps);
    for (; !TupIsNull(row); row = ExecProcNode(&state->insert->ps)) check(row);
    return nullptr;
}

void begin(CustomScanState *node, EState *executor, int flags) {
    InsertNodeState *const state = state_of(node);
    const auto *const plan = reinterpret_cast<const CustomScan *>(node->ss.ps.plan);
    auto *const insert = ExecInitNode(static_cast<Plan *>(linitial(plan->custom_plans)), executor, flags);
    node->custom_ps = list_make1(insert);
    state->insert = reinterpret_cast<ModifyTableState *>(insert);
    if ((flags & EXEC_FLAG_EXPLAIN_ONLY) != 0) return;
    state->inserts_many = intVal(linitial(plan->custom_private)) != 0 && MultiInsert::is_possible(state->insert);
    if (state->inserts_many) state->rows.begin(state->insert);
}

void end(CustomScanState *node) {
    InsertNodeState *const state = state_of(node);
    if (state->inserts_many) state->rows.end();
    ExecEndNode(&state->insert->ps);
}

void rescan(CustomScanState *) { elog(ERROR, "an INSERT cannot be executed again"); }

void explain(CustomScanState *node, List *, ExplainState *text) {
    ExplainPropertyText("Rows Stored", state_of(node)->inserts_many ? "many at once" : "one by one", text);
}

Node *create(CustomScan *) {
    static const CustomExecMethods methods = [] {
        CustomExecMethods all{};
        all.CustomName = "copy_incremental insert";
        all.BeginCustomScan = begin;
        all.ExecCustomScan = execute;
        all.EndCustomScan = end;
        all.ReScanCustomScan = rescan;
        all.ExplainCustomScan = explain;
        return all;
    }();
    auto *const state = static_cast<InsertNodeState *>(palloc0(sizeof(InsertNodeState)));
    NodeSetTag(state, T_CustomScanState);
    state->node.methods = &methods;
    return reinterpret_cast<Node *>(state);
}

const CustomScanMethods insert_methods{.CustomName = "copy_incremental insert", .CreateCustomScanState = create};

// Whether a call of the function may see rows that are stored while the statement runs.
bool sees_stored_rows(Oid function, void *batch_function) {
    return func_volatile(function) == PROVOLATILE_VOLATILE && function != F_NEXTVAL &&
           function != *static_cast<const Oid *>(batch_function);
}

bool find_call(Node *node, void *batch_function) { // NOLINT(misc-no-recursion): as deep as the query
    if (node == nullptr) return false;
    if (check_functions_in_node(node, sees_stored_rows, batch_function)) return true;
    if (IsA(node, Query))
        return query_tree_walker(reinterpret_cast<Query *>(node), compat::tree_walker(find_call), batch_function, 0);
    return expression_tree_walker(node, compat::tree_walker(find_call), batch_function);
}

bool has_junk(const List *columns) {
    for (int i = 0; i < list_length(columns); ++i)
        if (static_cast<const TargetEntry *>(list_nth(columns, i))->resjunk) return true;
    return false;
}

// Returns whether RETURNING has the columns of the checks. A rule of the target may have another.
bool has_checks(const List *returning) {
    const auto type = [&](int number) {
        return exprType(reinterpret_cast<Node *>(static_cast<const TargetEntry *>(list_nth(returning, number))->expr));
    };
    return list_length(returning) == 2 && type(0) == TEXTOID && type(1) == BOOLOID;
}

} // namespace

bool can_delay_inserts(Query *query, Oid batch_function) {
    return !find_call(reinterpret_cast<Node *>(query), &batch_function);
}

void add_insert_node(PlannedStmt *statement, bool can_delay) {
    // The planner of an extension may return another node.
    if (!IsA(statement->planTree, ModifyTable)) return;
    auto *const insert = reinterpret_cast<ModifyTable *>(statement->planTree);
    if (insert->returningLists != NIL && !has_checks(insert->plan.targetlist)) return;
    const bool can_insert_many = can_delay && insert->onConflictAction == ONCONFLICT_NONE &&
                                 list_length(insert->resultRelations) == 1 &&
                                 !has_junk(outerPlan(&insert->plan)->targetlist);
    CustomScan *const node = makeNode(CustomScan);
    node->scan.plan.startup_cost = insert->plan.startup_cost;
    node->scan.plan.total_cost = insert->plan.total_cost;
    node->scan.plan.plan_rows = insert->plan.plan_rows;
    node->scan.plan.plan_width = insert->plan.plan_width;
    node->scan.plan.extParam = bms_copy(insert->plan.extParam);
    node->scan.plan.allParam = bms_copy(insert->plan.allParam);
    node->custom_plans = list_make1(insert);
    node->custom_private = list_make1(makeInteger(can_insert_many ? 1 : 0));
    node->methods = &insert_methods;
    statement->planTree = &node->scan.plan;
    statement->hasReturning = false;
}

} // namespace pgci
