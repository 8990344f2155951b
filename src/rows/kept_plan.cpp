#include "rows/kept_plan.hpp"

#include <string_view>

#include "rows/batch_scan.hpp"
#include "rows/insert_node.hpp"

namespace pgci {

namespace {

bool has_other_node(const Plan *plan);

bool has_other_node(const List *plans) {
    for (int i = 0; i < list_length(plans); ++i)
        if (has_other_node(static_cast<const Plan *>(list_nth(plans, i)))) return true;
    return false;
}

bool has_other_node(const Plan *plan) { // NOLINT(misc-no-recursion): as deep as the plan
    if (plan == nullptr) return false;
    check_stack_depth();
    if (has_other_node(plan->lefttree) || has_other_node(plan->righttree)) return true;
    switch (nodeTag(plan)) {
    case T_SubqueryScan:
        return has_other_node(reinterpret_cast<const SubqueryScan *>(plan)->subplan);
    case T_Append:
        return has_other_node(reinterpret_cast<const Append *>(plan)->appendplans);
    case T_MergeAppend:
        return has_other_node(reinterpret_cast<const MergeAppend *>(plan)->mergeplans);
    case T_CustomScan: {
        const auto *const scan = reinterpret_cast<const CustomScan *>(plan);
        return !(is_batch_scan(scan) || is_insert_node(scan)) || has_other_node(scan->custom_plans);
    }
    default:
        return false;
    }
}

} // namespace

bool is_planned_elsewhere(SPIPlanPtr statement) {
    CachedPlan *const plan = SPI_plan_get_cached_plan(statement);
    if (plan == nullptr) return false;
    bool is_elsewhere = false;
    for (int i = 0; i < list_length(plan->stmt_list); ++i) {
        const auto *const planned = static_cast<const PlannedStmt *>(list_nth(plan->stmt_list, i));
        is_elsewhere = is_elsewhere || has_other_node(planned->planTree) || has_other_node(planned->subplans);
    }
    // The statement is not saved, so no resource owner holds the plan.
    ReleaseCachedPlan(plan, nullptr);
    return is_elsewhere;
}

} // namespace pgci
