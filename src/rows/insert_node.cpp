#include "rows/insert_node.hpp"

#include "server/compat.hpp"
#include "rows/batch_in_hand.hpp"
#include "rows/multi_insert.hpp"

namespace pgci {

namespace {

struct InsertNodeState {
    CustomScanState node; // must be the first member
    ModifyTableState *insert;
    bool inserts_many;
    bool counts_dropped;
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

// Counts what the executor has done with the rows since `processed` of them had been written.
void count(const InsertNodeState *state, uint64 processed) {
    const ModifyTableState *const write = state->insert;
    const Instrumentation *const done = write->ps.instrument;
    if (done == nullptr) return;
    BatchInHand &hand = BatchInHand::get();
    const auto written = static_cast<double>(write->ps.state->es_processed - processed);
    const auto action = reinterpret_cast<const ModifyTable *>(write->ps.plan)->onConflictAction;
    const double left_out = action == ONCONFLICT_NOTHING ? done->ntuples2 : 0;
    double dropped = 0;
    if (write->operation == CMD_MERGE) {
        hand.left_out += static_cast<std::int64_t>(left_out);
        dropped = write->mt_merge_inserted - (written - write->mt_merge_updated) - left_out;
    } else if (state->counts_dropped) {
        const Instrumentation *const rows = outerPlanState(write)->instrument;
        const double unchanged = action == ONCONFLICT_UPDATE ? done->nfiltered1 : left_out;
        dropped = rows->ntuples + rows->tuplecount - written - unchanged;
    }
    hand.dropped += static_cast<std::int64_t>(Max(dropped, 0));
}

// Returns no row. Executed once.
TupleTableSlot *execute_insert(CustomScanState *node) {
    InsertNodeState *const state = state_of(node);
    if (state->inserts_many) {
        if (!state->insert->mt_done) insert_many(state);
        return nullptr;
    }
    const uint64 processed = node->ss.ps.state->es_processed;
    TupleTableSlot *row = ExecProcNode(&state->insert->ps);
    for (; !TupIsNull(row); row = ExecProcNode(&state->insert->ps)) check(row);
    count(state, processed);
    return nullptr;
}

// The unique indexes of a table or partition that are arbiters, or partitions of them.
List *arbiters_of(Relation relation) {
    const std::vector<Oid> &arbiters = BatchInHand::get().statements().arbiters;
    const auto is_arbiter = [&](Oid index) {
        return std::find(arbiters.begin(), arbiters.end(), index) != arbiters.end();
    };
    List *found = NIL;
    const List *const indexes = RelationGetIndexList(relation);
    for (int i = 0; i < list_length(indexes); ++i) {
        const Oid index = list_nth_oid(indexes, i);
        const List *const ancestors = get_rel_relispartition(index) ? get_partition_ancestors(index) : NIL;
        bool is_one = is_arbiter(index);
        for (int j = 0; j < list_length(ancestors); ++j) is_one = is_one || is_arbiter(list_nth_oid(ancestors, j));
        if (is_one) found = lappend_oid(found, index);
    }
    return found;
}

// Makes the inserts of a MERGE do what INSERT ... ON CONFLICT DO NOTHING does.
void leave_out_conflicts(ModifyTableState *merge) {
    auto *const plan = static_cast<ModifyTable *>(palloc(sizeof(ModifyTable)));
    *plan = *reinterpret_cast<const ModifyTable *>(merge->ps.plan); // the planned one is kept
    plan->onConflictAction = ONCONFLICT_NOTHING;
    merge->ps.plan = &plan->plan;
    // From version 18 on, partitions that were pruned are in the plan only.
    for (int i = 0; i < merge->mt_nrels; ++i) {
        ResultRelInfo *const result = &merge->resultRelInfo[i];
        result->ri_onConflictArbiterIndexes = arbiters_of(result->ri_RelationDesc);
        if (result->ri_IndexRelationDescs == nullptr) ExecOpenIndices(result, true);
    }
}

// Only triggers of the target, or of a partition, drop rows.
bool may_drop(const ModifyTableState *write) {
    const ResultRelInfo *const target = write->rootResultRelInfo;
    const TriggerDesc *const triggers = target->ri_TrigDesc;
    return target->ri_RelationDesc->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
           (triggers != nullptr && (triggers->trig_insert_before_row || triggers->trig_insert_instead_row));
}

// Makes the executor count rows as for EXPLAIN ANALYZE.
void count_rows(PlanState *node) {
    if (node->instrument == nullptr) node->instrument = InstrAlloc(1, INSTRUMENT_ROWS, false);
}

void begin_insert(CustomScanState *node, EState *executor, int flags) {
    InsertNodeState *const state = state_of(node);
    const auto *const plan = reinterpret_cast<const CustomScan *>(node->ss.ps.plan);
    auto *const insert = ExecInitNode(static_cast<Plan *>(linitial(plan->custom_plans)), executor, flags);
    node->custom_ps = list_make1(insert);
    state->insert = reinterpret_cast<ModifyTableState *>(insert);
    if ((flags & EXEC_FLAG_EXPLAIN_ONLY) != 0) return;
    state->inserts_many = intVal(linitial(plan->custom_private)) != 0 && MultiInsert::is_possible(state->insert);
    if (state->inserts_many) return state->rows.begin(state->insert);
    state->counts_dropped = may_drop(state->insert);
    const bool is_merge = state->insert->operation == CMD_MERGE;
    if (is_merge && BatchInHand::get().leaves_out_conflicts) leave_out_conflicts(state->insert);
    if (!is_merge && !state->counts_dropped) return;
    count_rows(&state->insert->ps);
    count_rows(outerPlanState(state->insert));
}

void end_insert(CustomScanState *node) {
    InsertNodeState *const state = state_of(node);
    if (state->inserts_many) state->rows.end();
    ExecEndNode(&state->insert->ps);
}

void rescan_insert(CustomScanState *) { elog(ERROR, "an INSERT cannot be executed again"); }

void explain(CustomScanState *node, List *, ExplainState *text) {
    ExplainPropertyText("Rows Stored", state_of(node)->inserts_many ? "many at once" : "one by one", text);
}

Node *create_insert(CustomScan *) {
    static const CustomExecMethods methods = [] {
        CustomExecMethods all{};
        all.CustomName = "copy_incremental insert";
        all.BeginCustomScan = begin_insert;
        all.ExecCustomScan = execute_insert;
        all.EndCustomScan = end_insert;
        all.ReScanCustomScan = rescan_insert;
        all.ExplainCustomScan = explain;
        return all;
    }();
    auto *const state = static_cast<InsertNodeState *>(palloc0(sizeof(InsertNodeState)));
    NodeSetTag(state, T_CustomScanState);
    state->node.methods = &methods;
    return reinterpret_cast<Node *>(state);
}

const CustomScanMethods insert_methods{.CustomName = "copy_incremental insert", .CreateCustomScanState = create_insert};

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
    const bool can_insert_many =
        can_delay && insert->operation == CMD_INSERT && insert->onConflictAction == ONCONFLICT_NONE &&
        list_length(insert->resultRelations) == 1 && !has_junk(outerPlan(&insert->plan)->targetlist);
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

bool is_insert_node(const CustomScan *node) noexcept { return node->methods == &insert_methods; }

} // namespace pgci
