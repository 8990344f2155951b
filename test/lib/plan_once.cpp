// Preloaded by test/t/rows_kept_plan.pl: a planner, like that of Citus, whose plans of writes can be executed only once. Each
// plan counts its executions in itself; a second one is an error.
extern "C" {
#include "postgres.h"

#include "executor/executor.h"
#include "fmgr.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "optimizer/planner.h"

PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}

namespace {

planner_hook_type previous_hook;

void begin(CustomScanState *node, EState *estate, int flags) {
    auto *const scan = reinterpret_cast<CustomScan *>(node->ss.ps.plan);
    if (!(flags & EXEC_FLAG_EXPLAIN_ONLY) && ++intVal(linitial(scan->custom_private)) > 1)
        ereport(ERROR, (errmsg("this plan was executed before")));
    node->custom_ps = list_make1(ExecInitNode(static_cast<Plan *>(linitial(scan->custom_plans)), estate, flags));
}

TupleTableSlot *execute(CustomScanState *node) { return ExecProcNode(static_cast<PlanState *>(linitial(node->custom_ps))); }
void end(CustomScanState *node) { ExecEndNode(static_cast<PlanState *>(linitial(node->custom_ps))); }
void rescan(CustomScanState *) {}

CustomExecMethods exec_methods;
Node *create(CustomScan *) {
    auto *const state = static_cast<CustomScanState *>(palloc0(sizeof(CustomScanState)));
    NodeSetTag(state, T_CustomScanState);
    state->methods = &exec_methods;
    return reinterpret_cast<Node *>(state);
}
CustomScanMethods scan_methods;

PlannedStmt *plan_once(Query *query, const char *text, int options, ParamListInfo parameters) {
    PlannedStmt *const statement = previous_hook != nullptr ? previous_hook(query, text, options, parameters)
                                                            : standard_planner(query, text, options, parameters);
    if (text == nullptr || strstr(text, "copy_incremental_batch_rows") == nullptr || !IsA(statement->planTree, ModifyTable))
        return statement;
    CustomScan *const scan = makeNode(CustomScan);
    scan->methods = &scan_methods;
    scan->custom_plans = list_make1(statement->planTree);
    scan->custom_private = list_make1(makeInteger(0));
    scan->scan.plan.plan_rows = statement->planTree->plan_rows;
    statement->planTree = reinterpret_cast<Plan *>(scan);
    return statement;
}

} // namespace

void _PG_init(void) {
    exec_methods.CustomName = scan_methods.CustomName = "plan once";
    exec_methods.BeginCustomScan = begin;
    exec_methods.ExecCustomScan = execute;
    exec_methods.EndCustomScan = end;
    exec_methods.ReScanCustomScan = rescan;
    scan_methods.CreateCustomScanState = create;
    previous_hook = planner_hook;
    planner_hook = plan_once;
}
