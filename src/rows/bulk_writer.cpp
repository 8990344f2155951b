#include "rows/bulk_writer.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"
#include "ledger/rejects.hpp"
#include "target/load_plan.hpp"

namespace pgci {

BulkWriter::BulkWriter(const LoadPlan &plan, const Target &target, const TimeZone &zone, TupleDesc description,
                       MemoryContext memory)
    : plan_(plan), target_(target), memory_(memory) {
    const char *const zone_name = zone.name();
    const char *const insert = plan.insert.c_str();
    const char *const slice = plan.slice.c_str();
    pg_call([=, this] {
        statement_.begin(zone_name);
        open(insert, slice, description);
    });
}

void BulkWriter::open(const char *insert, const char *slice, TupleDesc description) {
    row_memory_ = AllocSetContextCreate(memory_, "copy_incremental rows", ALLOCSET_DEFAULT_SIZES);
    description_ = description;
    outside_.is_replace = !plan_.statements.remove.empty();
    relation_ = table_open(target_.oid(), RowExclusiveLock);
    row_.prepare(insert, target_.used_for(ACL_INSERT), relation_, description, memory_);
    state_ = CreateExecutorState();
    const MemoryContext previous = MemoryContextSwitchTo(state_->es_query_cxt);
    row_.init_range_table(state_);
    row_.init_expressions(state_);
    result_ = makeNode(ResultRelInfo);
    InitResultRelInfo(result_, relation_, 1, nullptr, 0);
    ExecOpenIndices(result_, false);
    transition_ = MakeTransitionCaptureState(result_->ri_TrigDesc, target_.oid(), CMD_INSERT);
    if (slice[0] != '\0') slice_ = ExecInitExpr(parse_slice(slice, relation_), nullptr);
    slots_ = static_cast<TupleTableSlot **>(palloc0(sizeof(TupleTableSlot *) * most_rows));
    bulk_ = GetBulkInsertState();
    MemoryContextSwitchTo(previous);
}

std::int64_t BulkWriter::remove() { return delete_slice(plan_.statements, target_); }

void BulkWriter::add(Datum *values, bool *nulls, std::int64_t bytes) {
    if (slots_[rows_] == nullptr) {
        const MemoryContext previous = MemoryContextSwitchTo(state_->es_query_cxt);
        slots_[rows_] = table_slot_create(relation_, nullptr);
        MemoryContextSwitchTo(previous);
    }
    TupleTableSlot *const row = slots_[rows_];
    const MemoryContext previous = MemoryContextSwitchTo(row_memory_);
    row_.fill(values, nulls, row, GetPerTupleExprContext(state_));
    MemoryContextSwitchTo(previous);
    check_row(row);
    if (!is_inside(row)) keep_outside(values, nulls, row);
    ++rows_;
    ++batch_rows_;
    bytes_ += bytes;
    if (rows_ == most_rows || bytes_ > most_bytes || row_.is_volatile()) flush();
}

void BulkWriter::check_row(TupleTableSlot *row) {
    row->tts_tableOid = RelationGetRelid(relation_);
    const TupleConstr *const constraints = RelationGetDescr(relation_)->constr;
    if (constraints != nullptr && constraints->has_generated_stored)
        ExecComputeStoredGenerated(result_, state_, row, CMD_INSERT);
    if (constraints != nullptr) ExecConstraints(result_, row, state_);
    if (relation_->rd_rel->relispartition) ExecPartitionCheck(result_, row, state_, true);
}

bool BulkWriter::is_inside(TupleTableSlot *row) {
    if (slice_ == nullptr) return true;
    ExprContext *const context = GetPerTupleExprContext(state_);
    bool is_null = false;
    context->ecxt_scantuple = row;
    const Datum inside = ExecEvalExprSwitchContext(slice_, context, &is_null);
    return !is_null && DatumGetBool(inside);
}

// Counts a row outside of the slice; keeps the first, as it came and, for a user who may read it, as it is stored.
void BulkWriter::keep_outside(const Datum *values, const bool *nulls, TupleTableSlot *row) {
    if (outside_.count++ > 0) return;
    const MemoryContext previous = MemoryContextSwitchTo(memory_);
    outside_.came = row_to_json(description_, values, nulls);
    slot_getallattrs(row);
    if (pg_class_aclcheck(RelationGetRelid(relation_), GetUserId(), ACL_SELECT) == ACLCHECK_OK)
        outside_.stored = row_to_json(RelationGetDescr(relation_), row->tts_values, row->tts_isnull);
    MemoryContextSwitchTo(previous);
}

void BulkWriter::flush() {
    if (rows_ == 0) return;
    const CommandId command = GetCurrentCommandId(true);
    state_->es_output_cid = command;
    const MemoryContext previous = MemoryContextSwitchTo(GetPerTupleMemoryContext(state_));
    table_multi_insert(relation_, slots_, rows_, command, 0, bulk_);
    MemoryContextSwitchTo(previous);
    for (int i = 0; i < rows_; ++i) {
        fire_row_triggers(slots_[i]);
        ExecClearTuple(slots_[i]);
    }
    rows_ = 0;
    bytes_ = 0;
    ResetPerTupleExprContext(state_);
    MemoryContextReset(row_memory_);
    if (row_.is_volatile()) CommandCounterIncrement();
}

// Queues the triggers for finish().
void BulkWriter::fire_row_triggers(TupleTableSlot *row) {
    List *rechecked = NIL; // indexes whose uniqueness is checked later
    if (result_->ri_NumIndices > 0) rechecked = compat::insert_index_tuples(result_, row, state_);
    const TriggerDesc *const triggers = result_->ri_TrigDesc;
    if (rechecked != NIL ||
        (triggers != nullptr && (triggers->trig_insert_after_row || triggers->trig_insert_new_table)))
        ExecARInsertTriggers(state_, result_, row, rechecked, transition_);
    list_free(rechecked);
}

std::int64_t BulkWriter::write() {
    return pg_call([this] {
        flush();
        // Make the batch visible to what follows, such as a trigger function.
        CommandCounterIncrement();
        if (outside_.count > 0) raise_outside_slice(outside_);
        const std::int64_t written = batch_rows_;
        batch_rows_ = 0;
        return written;
    });
}

void BulkWriter::finish() {
    pg_call([this] {
        FreeBulkInsertState(bulk_);
        table_finish_bulk_insert(relation_, 0);
        ExecASInsertTriggers(state_, result_, transition_);
        ExecCloseIndices(result_);
        for (int i = 0; i < most_rows && slots_[i] != nullptr; ++i) ExecDropSingleTupleTableSlot(slots_[i]);
        FreeExecutorState(state_);
        table_close(relation_, NoLock);
        MemoryContextDelete(row_memory_);
        statement_.end();
    });
}

void check_bulk(const Target &target, const LoadPlan &load) {
    const Oid oid = target.oid();
    const char *const obstacle = pg_call([=]() -> const char * {
        const Relation relation = relation_open(oid, NoLock);
        const TriggerDesc *const triggers = relation->trigdesc;
        const char *found = nullptr;
        if (relation->rd_rel->relkind != RELKIND_RELATION)
            found = "a target that is not a plain table";
        else if (triggers != nullptr && (triggers->trig_insert_before_row || triggers->trig_insert_before_statement))
            found = "a target with BEFORE INSERT triggers";
        else if (relation->rd_rules != nullptr)
            found = "a target with rules";
        else if (check_enable_rls(oid, InvalidOid, true) == RLS_ENABLED)
            found = "a target whose row-level security applies to you";
        relation_close(relation, NoLock);
        return found;
    });
    if (obstacle != nullptr)
        raise(sqlstate::feature_not_supported, std::string("method bulk does not support ") + obstacle,
              "Use method => 'cursor'.");
    check_inserts_are_local(target, load.insert, Method::bulk);
}

} // namespace pgci
