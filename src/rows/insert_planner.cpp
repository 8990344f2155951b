#include "rows/insert_planner.hpp"

#include "server/compat.hpp"
#include "target/other_planner.hpp"
#include "rows/batch_in_hand.hpp"
#include "rows/batch_scan.hpp"
#include "rows/insert_node.hpp"

namespace pgci {

namespace {

planner_hook_type previous_hook = nullptr;
get_relation_info_hook_type previous_relation_hook = nullptr;
set_rel_pathlist_hook_type previous_path_hook = nullptr;

// The MERGE of a run that is being planned, or null.
const Query *planned_merge = nullptr;

void replace_scans(Plan *&plan, BatchScans *scans);

void replace_scans(List *plans, BatchScans *scans) {
    for (int i = 0; i < list_length(plans); ++i) {
        auto *plan = static_cast<Plan *>(list_nth(plans, i));
        replace_scans(plan, scans);
        lfirst(list_nth_cell(plans, i)) = plan;
    }
}

// Replaces the scans of the function in the plan and below.
void replace_scans(Plan *&plan, BatchScans *scans) { // NOLINT(misc-no-recursion): as deep as the plan
    if (plan == nullptr) return;
    check_stack_depth();
    switch (nodeTag(plan)) {
    case T_FunctionScan:
        if (Plan *const scan = make_batch_scan(reinterpret_cast<const FunctionScan *>(plan), scans); scan != nullptr)
            plan = scan;
        break;
    case T_SubqueryScan:
        replace_scans(reinterpret_cast<SubqueryScan *>(plan)->subplan, scans);
        break;
    case T_Append:
        replace_scans(reinterpret_cast<Append *>(plan)->appendplans, scans);
        break;
    case T_MergeAppend:
        replace_scans(reinterpret_cast<MergeAppend *>(plan)->mergeplans, scans);
        break;
    case T_LockRows:
        // It needs the copies.
        scans->leaves_out_copies = false;
        break;
    default:
        break;
    }
    replace_scans(plan->lefttree, scans);
    replace_scans(plan->righttree, scans);
}

// Rules of the target turn the statement into several queries of the same text.
bool is_of_run(const Query *query, const char *text, const BatchInHand *hand) {
    if (hand == nullptr || text == nullptr) return false;
    const LoadStatements &statements = hand->statements();
    return (query->commandType == CMD_INSERT && statements.insert == text) ||
           (query->commandType == CMD_MERGE && statements.merge == text);
}

// The rows of a batch are joined by their columns, which the node of the scan reads again if a row was updated concurrently.
void leave_out_row_marks(PlannedStmt *statement, const Bitmapset *relations) {
    if (!IsA(statement->planTree, ModifyTable)) return;
    auto *const write = reinterpret_cast<ModifyTable *>(statement->planTree);
    List *kept = NIL;
    for (int i = 0; i < list_length(write->rowMarks); ++i) {
        auto *const mark = static_cast<PlanRowMark *>(list_nth(write->rowMarks, i));
        if (!bms_is_member(static_cast<int>(mark->rti), relations)) kept = lappend(kept, mark);
    }
    write->rowMarks = kept;
}

PlannedStmt *call_planner(Query *query, const char *text, int options, ParamListInfo parameters) {
    const Query *const outer = planned_merge;
    PlannedStmt *statement = nullptr;
    PG_TRY();
    {
        const auto plan = previous_hook != nullptr ? previous_hook : standard_planner;
        planned_merge = query->commandType == CMD_MERGE ? query : nullptr;
        statement = plan(query, text, options, parameters);
    }
    PG_FINALLY();
    { planned_merge = outer; }
    PG_END_TRY();
    // No just-in-time compilation: each batch would repeat it, because of the costs of a target of that size.
    if (query->commandType == CMD_MERGE) statement->jitFlags = 0;
    return statement;
}

PlannedStmt *plan_statement(Query *query, const char *text, int options, ParamListInfo parameters) {
    const BatchInHand *const hand = BatchInHand::current();
    if (!is_of_run(query, text, hand)) {
        const auto plan = previous_hook != nullptr ? previous_hook : standard_planner;
        return plan(query, text, options, parameters);
    }
    BatchScans scans{.function = hand->statements().batch_function,
                     .leaves_out_copies = query->commandType == CMD_MERGE,
                     .without_copies = nullptr};
    // Before the planner changes the query.
    const bool can_delay = can_delay_inserts(query, scans.function);
    PlannedStmt *const statement = call_planner(query, text, options, parameters);
    replace_scans(statement->planTree, &scans);
    replace_scans(statement->subplans, &scans);
    leave_out_row_marks(statement, scans.without_copies);
    add_insert_node(statement, can_delay);
    return statement;
}

// The plan of the MERGE is kept while the target grows. It must look up each key in the index, also if the target is still
// empty, or was never analyzed. Therefore the target, with its partitions, is planned as the largest table that can be.
void enlarge_target(PlannerInfo *root, Oid oid, bool is_parent, RelOptInfo *relation) {
    if (previous_relation_hook != nullptr) previous_relation_hook(root, oid, is_parent, relation);
    if (planned_merge == nullptr || root->parse != planned_merge) return;
    Index top = relation->relid;
    while (root->append_rel_array != nullptr && root->append_rel_array[top] != nullptr)
        top = root->append_rel_array[top]->parent_relid;
    if (static_cast<int>(top) != root->parse->resultRelation) return;
    constexpr double rows_of_page = 1000;
    relation->pages = MaxBlockNumber;
    relation->tuples = rows_of_page * MaxBlockNumber;
    for (int i = 0; i < list_length(relation->indexlist); ++i) {
        auto *const index = static_cast<IndexOptInfo *>(list_nth(relation->indexlist, i));
        index->pages = relation->pages;
        index->tuples = relation->tuples;
    }
}

// Leaves only the paths to the target that look up a key of the batch, if there are any. For a key of several columns the planner
// may estimate so many rows that a join which reads the whole target seems to be cheaper.
void leave_lookups(PlannerInfo *root, RelOptInfo *relation, Index number, RangeTblEntry *entry) {
    if (previous_path_hook != nullptr) previous_path_hook(root, relation, number, entry);
    if (planned_merge == nullptr || root->parse != planned_merge) return;
    if (static_cast<int>(number) != root->parse->resultRelation) return;
    List *lookups = NIL;
    for (int i = 0; i < list_length(relation->pathlist); ++i) {
        auto *const path = static_cast<Path *>(list_nth(relation->pathlist, i));
        if (path->param_info != nullptr) lookups = lappend(lookups, path);
    }
    if (lookups != NIL) relation->pathlist = lookups;
}

} // namespace

void install_insert_planner() {
    previous_hook = planner_hook;
    planner_hook = plan_statement;
    note_planner(plan_statement, previous_hook);
    previous_relation_hook = get_relation_info_hook;
    get_relation_info_hook = enlarge_target;
    previous_path_hook = set_rel_pathlist_hook;
    set_rel_pathlist_hook = leave_lookups;
}

} // namespace pgci
