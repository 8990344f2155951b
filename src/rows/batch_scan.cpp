#include "rows/batch_scan.hpp"

#include "server/compat.hpp"
#include "rows/batch_in_hand.hpp"

namespace pgci {

namespace {

struct BatchScanState {
    CustomScanState node; // must be the first member
    std::size_t next;
};

BatchScanState *state_of(ScanState *node) { return reinterpret_cast<BatchScanState *>(node); }

TupleTableSlot *next_row(ScanState *node) {
    BatchScanState *const state = state_of(node);
    const BatchInHand &hand = BatchInHand::get();
    TupleTableSlot *const slot = node->ss_ScanTupleSlot;
    ExecClearTuple(slot);
    if (state->next >= hand.count()) return slot;
    const Batch::Row row = hand.row(state->next++);
    slot->tts_values = row.values;
    slot->tts_isnull = row.nulls;
    return ExecStoreVirtualTuple(slot);
}

// Not ExecScan(), which returns no row when the executor reads the plan once more for a row of the target that another session has
// changed (EvalPlanQual): it takes the node for a join that was pushed down.
TupleTableSlot *execute_scan(CustomScanState *state) {
    ScanState *const node = &state->ss;
    ExprContext *const context = node->ps.ps_ExprContext;
    while (true) {
        CHECK_FOR_INTERRUPTS();
        ResetExprContext(context);
        TupleTableSlot *const row = next_row(node);
        if (TupIsNull(row)) return nullptr;
        context->ecxt_scantuple = row;
        if (node->ps.qual == nullptr || ExecQual(node->ps.qual, context))
            return node->ps.ps_ProjInfo != nullptr ? ExecProject(node->ps.ps_ProjInfo) : row;
        InstrCountFiltered1(node, 1);
    }
}

void rescan_scan(CustomScanState *node) { state_of(&node->ss)->next = 0; }

void begin_scan(CustomScanState *node, EState *, int) {
    const BatchInHand &hand = BatchInHand::get();
    const TupleDesc wanted = node->ss.ss_ScanTupleSlot->tts_tupleDescriptor;
    const TupleDesc columns = hand.batch().description();
    bool fits = wanted->natts == columns->natts;
    for (int i = 0; fits && i < wanted->natts; ++i)
        fits = TupleDescAttr(wanted, i)->atttypid == TupleDescAttr(columns, i)->atttypid;
    if (!fits)
        ereport(ERROR,
                (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("columns of the batch are declared with other types")));
    state_of(&node->ss)->next = 0;
}

void end_scan(CustomScanState *) {}

Node *create_scan(CustomScan *) {
    static const CustomExecMethods methods = [] {
        CustomExecMethods all{};
        all.CustomName = "copy_incremental batch";
        all.BeginCustomScan = begin_scan;
        all.ExecCustomScan = execute_scan;
        all.EndCustomScan = end_scan;
        all.ReScanCustomScan = rescan_scan;
        return all;
    }();
    auto *const state = static_cast<BatchScanState *>(palloc0(sizeof(BatchScanState)));
    NodeSetTag(state, T_CustomScanState);
    state->node.methods = &methods;
    return reinterpret_cast<Node *>(state);
}

const CustomScanMethods scan_methods{.CustomName = "copy_incremental batch", .CreateCustomScanState = create_scan};

// Returns the only function of the scan if it is that of the batch in hand, else null.
const RangeTblFunction *find_function(const FunctionScan *scan, Oid function) {
    if (scan->funcordinality || list_length(scan->functions) != 1) return nullptr;
    const auto *const only = static_cast<const RangeTblFunction *>(linitial(scan->functions));
    const bool is_ours =
        IsA(only->funcexpr, FuncExpr) && reinterpret_cast<const FuncExpr *>(only->funcexpr)->funcid == function;
    return is_ours ? only : nullptr;
}

struct Columns {
    Index relation;
    bool are_plain; // no row as a whole and no system column
    bool leaves_out_copies;
    bool has_left_out;
};

// Makes columns of the relation refer to the scan tuple of the node.
Node *refer_to_scan(Node *node, void *context) {
    auto *const columns = static_cast<Columns *>(context);
    if (node == nullptr) return nullptr;
    if (!IsA(node, Var)) return compat::mutate_expression(node, refer_to_scan, context);
    auto *const column = static_cast<Var *>(copyObjectImpl(node));
    if (static_cast<Index>(column->varno) != columns->relation) return reinterpret_cast<Node *>(column);
    if (column->varattno == 0 && columns->leaves_out_copies) {
        columns->has_left_out = true;
        return reinterpret_cast<Node *>(makeNullConst(column->vartype, column->vartypmod, column->varcollid));
    }
    if (column->varattno <= 0) columns->are_plain = false;
    column->varno = INDEX_VAR;
    return reinterpret_cast<Node *>(column);
}

List *scan_columns(const RangeTblFunction *function, Index relation) {
    List *columns = NIL;
    for (int i = 0; i < list_length(function->funccoltypes); ++i) {
        const auto number = static_cast<AttrNumber>(i + 1);
        Var *const column =
            makeVar(static_cast<int>(relation), number, list_nth_oid(function->funccoltypes, i),
                    list_nth_int(function->funccoltypmods, i), list_nth_oid(function->funccolcollations, i), 0);
        columns = lappend(columns, makeTargetEntry(reinterpret_cast<Expr *>(column), number, nullptr, false));
    }
    return columns;
}

} // namespace

Plan *make_batch_scan(const FunctionScan *scan, BatchScans *scans) {
    const RangeTblFunction *const function = find_function(scan, scans->function);
    if (function == nullptr) return nullptr;
    CustomScan *const node = makeNode(CustomScan);
    node->scan.plan = scan->scan.plan;
    node->scan.plan.type = T_CustomScan;
    Columns columns{.relation = scan->scan.scanrelid,
                    .are_plain = true,
                    .leaves_out_copies = scans->leaves_out_copies,
                    .has_left_out = false};
    node->scan.plan.targetlist =
        reinterpret_cast<List *>(refer_to_scan(reinterpret_cast<Node *>(scan->scan.plan.targetlist), &columns));
    node->scan.plan.qual =
        reinterpret_cast<List *>(refer_to_scan(reinterpret_cast<Node *>(scan->scan.plan.qual), &columns));
    if (!columns.are_plain) return nullptr;
    node->flags = CUSTOMPATH_SUPPORT_PROJECTION;
    node->custom_scan_tlist = scan_columns(function, scan->scan.scanrelid);
    node->custom_relids = bms_make_singleton(static_cast<int>(scan->scan.scanrelid));
    node->methods = &scan_methods;
    if (columns.has_left_out)
        scans->without_copies = bms_add_member(scans->without_copies, static_cast<int>(scan->scan.scanrelid));
    return &node->scan.plan;
}

bool is_batch_scan(const CustomScan *node) noexcept { return node->methods == &scan_methods; }

} // namespace pgci
