#include "rows/insert_planner.hpp"

#include "server/compat.hpp"
#include "rows/batch.hpp"
#include "rows/batch_scan.hpp"
#include "rows/insert_node.hpp"

namespace pgci {

namespace {

planner_hook_type previous_hook = nullptr;

void replace_scans(Plan *&plan, Oid function);

void replace_scans(List *plans, Oid function) {
    for (int i = 0; i < list_length(plans); ++i) {
        auto *plan = static_cast<Plan *>(list_nth(plans, i));
        replace_scans(plan, function);
        lfirst(list_nth_cell(plans, i)) = plan;
    }
}

// Replaces the scans of the function in the plan and below.
void replace_scans(Plan *&plan, Oid function) { // NOLINT(misc-no-recursion): as deep as the plan
    if (plan == nullptr) return;
    check_stack_depth();
    switch (nodeTag(plan)) {
    case T_FunctionScan:
        if (Plan *const scan = make_batch_scan(reinterpret_cast<const FunctionScan *>(plan), function); scan != nullptr)
            plan = scan;
        break;
    case T_SubqueryScan:
        replace_scans(reinterpret_cast<SubqueryScan *>(plan)->subplan, function);
        break;
    case T_Append:
        replace_scans(reinterpret_cast<Append *>(plan)->appendplans, function);
        break;
    case T_MergeAppend:
        replace_scans(reinterpret_cast<MergeAppend *>(plan)->mergeplans, function);
        break;
    default:
        break;
    }
    replace_scans(plan->lefttree, function);
    replace_scans(plan->righttree, function);
}

// Rules of the target turn the statement into several queries of the same text.
bool is_insert_of_run(const Query *query, const char *text, const BatchInHand *hand) {
    return hand != nullptr && query->commandType == CMD_INSERT && text != nullptr && hand->statements().insert == text;
}

PlannedStmt *plan_statement(Query *query, const char *text, int options, ParamListInfo parameters) {
    const BatchInHand *const hand = BatchInHand::current();
    const auto plan = previous_hook != nullptr ? previous_hook : standard_planner;
    if (!is_insert_of_run(query, text, hand)) return plan(query, text, options, parameters);
    const Oid function = hand->statements().batch_function;
    // Before the planner changes the query.
    const bool can_delay = can_delay_inserts(query, function);
    PlannedStmt *const statement = plan(query, text, options, parameters);
    replace_scans(statement->planTree, function);
    replace_scans(statement->subplans, function);
    add_insert_node(statement, can_delay);
    return statement;
}

} // namespace

void install_insert_planner() {
    previous_hook = planner_hook;
    planner_hook = plan_statement;
}

} // namespace pgci
