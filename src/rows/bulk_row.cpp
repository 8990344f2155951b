#include "rows/bulk_row.hpp"

#include "server/compat.hpp"
#include "server/spi.hpp"

namespace pgci {

namespace {

// Returns the rewritten INSERT: one statement, because the target has no rules.
Query *analyze_insert(const char *insert, const UsedRelation &target, MemoryContext memory) {
    spi_connect();
    const SPIPlanPtr plan = spi_prepare(insert, target);
    const auto *const source = static_cast<CachedPlanSource *>(linitial(SPI_plan_get_plan_sources(plan)));
    const MemoryContext previous = MemoryContextSwitchTo(memory);
    auto *const query = static_cast<Query *>(copyObjectImpl(linitial(source->query_list)));
    MemoryContextSwitchTo(previous);
    spi_finish();
    return query;
}

// Returns the expression that the planner uses for a column without a value or default: NULL, which a domain may
// refuse. Returns null if the type is not a domain.
Expr *null_of_domain(Form_pg_attribute column) {
    if (column->attisdropped || column->attgenerated != '\0' || get_typtype(column->atttypid) != TYPTYPE_DOMAIN)
        return nullptr;
    Const *const null =
        makeConst(column->atttypid, -1, column->attcollation, column->attlen, Datum{0}, true, column->attbyval);
    return reinterpret_cast<Expr *>(coerce_to_domain(reinterpret_cast<Node *>(null), InvalidOid, -1, column->atttypid,
                                                     COERCION_IMPLICIT, COERCE_IMPLICIT_CAST, -1, false));
}

} // namespace

void BulkRow::prepare(const char *insert, const UsedRelation &used, Relation target, TupleDesc batch,
                      MemoryContext memory) {
    query_ = analyze_insert(insert, used, memory);
    const MemoryContext previous = MemoryContextSwitchTo(memory);
    is_volatile_ = contain_volatile_functions_not_nextval(reinterpret_cast<Node *>(query_->targetList));
    count_ = RelationGetDescr(target)->natts;
    columns_ = static_cast<Column *>(palloc0(sizeof(Column) * static_cast<Size>(count_)));
    for (int i = 0; i < count_; ++i) {
        columns_[i].source = -1;
        columns_[i].expression = null_of_domain(TupleDescAttr(RelationGetDescr(target), i));
    }
    for (int i = 0; i < list_length(query_->targetList); ++i) {
        const auto *const entry = static_cast<TargetEntry *>(list_nth(query_->targetList, i));
        if (entry->resjunk) continue;
        Column &column = columns_[entry->resno - 1];
        if (IsA(entry->expr, Var)) {
            column.source = reinterpret_cast<const Var *>(entry->expr)->varattno - 1;
            continue;
        }
        column.expression = entry->expr;
    }
    for (int i = 0; i < count_; ++i) {
        Column &column = columns_[i];
        if (column.source >= 0 || column.expression == nullptr) continue;
        column.expression = expression_planner(column.expression);
        has_expressions_ = true;
    }
    batch_ = MakeSingleTupleTableSlot(batch, &TTSOpsVirtual);
    MemoryContextSwitchTo(previous);
}

void BulkRow::init_range_table(EState *state) const { compat::init_insert_range_table(state, query_); }

void BulkRow::init_expressions(EState *state) {
    const MemoryContext previous = MemoryContextSwitchTo(state->es_query_cxt);
    for (int i = 0; i < count_; ++i)
        if (columns_[i].source < 0 && columns_[i].expression != nullptr)
            columns_[i].state = ExecInitExpr(columns_[i].expression, nullptr);
    MemoryContextSwitchTo(previous);
}

void BulkRow::fill(Datum *values, bool *nulls, TupleTableSlot *row, ExprContext *context) {
    if (has_expressions_) {
        ExecClearTuple(batch_);
        batch_->tts_values = values;
        batch_->tts_isnull = nulls;
        ExecStoreVirtualTuple(batch_);
        context->ecxt_scantuple = batch_;
    }
    ExecClearTuple(row);
    for (int i = 0; i < count_; ++i) {
        const Column &column = columns_[i];
        if (column.source >= 0) {
            row->tts_values[i] = values[column.source];
            row->tts_isnull[i] = nulls[column.source];
        } else if (column.state != nullptr) {
            row->tts_values[i] = ExecEvalExpr(column.state, context, &row->tts_isnull[i]);
        } else {
            row->tts_values[i] = Datum{0};
            row->tts_isnull[i] = true;
        }
    }
    ExecStoreVirtualTuple(row);
}

} // namespace pgci
