#include "rows/multi_insert.hpp"

#include "server/compat.hpp"
#include "rows/batch_in_hand.hpp"

namespace pgci {

bool MultiInsert::is_possible(const ModifyTableState *insert) {
    const ResultRelInfo *const target = insert->resultRelInfo;
    const char kind = target->ri_RelationDesc->rd_rel->relkind;
    if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) return false;
    if (target->ri_WithCheckOptions != NIL) return false;
    if (kind == RELKIND_PARTITIONED_TABLE && insert->mt_transition_capture != nullptr) return false;
    return target->ri_TrigDesc == nullptr || !target->ri_TrigDesc->trig_insert_before_row;
}

void MultiInsert::begin(ModifyTableState *insert) {
    insert_ = insert;
    state_ = insert->ps.state;
    const MemoryContext previous = MemoryContextSwitchTo(state_->es_query_cxt);
    rows_ = static_cast<Row *>(palloc(sizeof(Row) * most_rows));
    bulk_ = GetBulkInsertState();
    MemoryContextSwitchTo(previous);
}

void MultiInsert::add(TupleTableSlot *row) {
    if (stored_ > 0) {
        for (int i = 0; i < stored_; ++i) ExecClearTuple(rows_[i].slot);
        count_ = stored_ = 0;
    }
    TupleTableSlot *const plan_row = row;
    Destination *const destination = route(row);
    if (destination->is_alone) {
        add_alone(destination, row, plan_row);
        return;
    }
    TupleTableSlot *const slot = next_slot(destination);
    const TupleConstr *const constraints = destination->description->constr;
    if (constraints != nullptr && constraints->has_generated_stored) {
        ExecCopySlot(slot, row);
        check(destination, slot);
    } else {
        // Reads the values from the plan's row, not from the tuple that the copy forms.
        check(destination, row);
        ExecCopySlot(slot, row);
    }
    rows_[count_++] = {destination, slot};
    ++destination->count;
    if (TTS_IS_BUFFERTUPLE(slot) || TTS_IS_HEAPTUPLE(slot))
        bytes_ += reinterpret_cast<const HeapTupleTableSlot *>(slot)->tuple->t_len;
    if (count_ == most_rows || bytes_ >= most_bytes) flush();
}

// What runs before the row is stored sees all rows before it.
void MultiInsert::add_alone(Destination *destination, TupleTableSlot *row, TupleTableSlot *plan_row) {
    flush();
    ResultRelInfo *const relation = destination->relation;
    TupleTableSlot *slot = next_slot(destination);
    ExecCopySlot(slot, row);
    const TriggerDesc *const triggers = relation->ri_TrigDesc;
    if (triggers != nullptr && triggers->trig_insert_before_row && !ExecBRInsertTriggers(state_, relation, slot)) {
        ++BatchInHand::get().dropped;
        return;
    }
    if (relation->ri_FdwRoutine == nullptr) {
        check(destination, slot);
        rows_[count_++] = {destination, slot};
        ++destination->count;
        flush();
        return;
    }
    check(destination, slot);
    slot = relation->ri_FdwRoutine->ExecForeignInsert(state_, relation, slot, plan_row);
    if (slot == nullptr) {
        ++BatchInHand::get().dropped;
        return;
    }
    slot->tts_tableOid = RelationGetRelid(relation->ri_RelationDesc);
    rows_[count_++] = {destination, slot};
    finish(rows_[stored_++]);
}

// Finds the table or partition for a row, and converts the row to its columns.
MultiInsert::Destination *MultiInsert::route(TupleTableSlot *&row) {
    ResultRelInfo *relation = insert_->resultRelInfo;
    PartitionTupleRouting *const routing = insert_->mt_partition_tuple_routing;
    if (routing == nullptr) return destination_of(relation);
    relation = ExecFindPartition(insert_, relation, routing, row, state_);
    const TupleConversionMap *const map = compat::root_to_partition_map(relation, state_);
    if (map != nullptr) row = execute_attr_map_slot(map->attrMap, row, relation->ri_PartitionTupleSlot);
    return destination_of(relation);
}

// Keeps the destination in the member that COPY has for the same purpose.
MultiInsert::Destination *MultiInsert::destination_of(ResultRelInfo *relation) {
    if (relation->ri_CopyMultiInsertBuffer != nullptr)
        return reinterpret_cast<Destination *>(relation->ri_CopyMultiInsertBuffer);
    const MemoryContext previous = MemoryContextSwitchTo(state_->es_query_cxt);
    if (relation->ri_RelationDesc->rd_rel->relhasindex && relation->ri_IndexRelationDescs == nullptr)
        ExecOpenIndices(relation, false);
    auto *const destination = static_cast<Destination *>(palloc0(sizeof(Destination)));
    destination->relation = relation;
    // A copy, because resource owners are slow with many references to the description of a relation.
    destination->description = CreateTupleDescCopyConstr(RelationGetDescr(relation->ri_RelationDesc));
    destination->is_alone = is_alone(relation);
    destinations_ = lappend(destinations_, destination);
    MemoryContextSwitchTo(previous);
    relation->ri_CopyMultiInsertBuffer = reinterpret_cast<struct CopyMultiInsertBuffer *>(destination);
    return destination;
}

// Whether a foreign table takes many rows at once.
static bool takes_batches(const ResultRelInfo *relation) {
    const bool has_trigger = relation->ri_TrigDesc != nullptr && relation->ri_TrigDesc->trig_insert_after_row;
    return relation->ri_BatchSize > 1 && relation->ri_projectReturning == nullptr && !has_trigger;
}

bool MultiInsert::is_alone(const ResultRelInfo *relation) {
    if (relation->ri_FdwRoutine != nullptr && !takes_batches(relation)) return true;
    if (relation->ri_TrigDesc != nullptr && relation->ri_TrigDesc->trig_insert_before_row) return true;
    const TupleConstr *const constraints = RelationGetDescr(relation->ri_RelationDesc)->constr;
    if (constraints == nullptr) return false;
    for (int i = 0; i < constraints->num_check; ++i)
        if (contain_volatile_functions(static_cast<Node *>(stringToNode(constraints->check[i].ccbin)))) return true;
    return false;
}

TupleTableSlot *MultiInsert::next_slot(Destination *destination) {
    if (destination->count < destination->room) return destination->slots[destination->count];
    constexpr int first_room = 8;
    const MemoryContext previous = MemoryContextSwitchTo(GetMemoryChunkContext(destination));
    const int room = destination->room == 0 ? first_room : 2 * destination->room;
    const Size size = sizeof(TupleTableSlot *) * static_cast<Size>(room);
    destination->slots =
        static_cast<TupleTableSlot **>(destination->room == 0 ? palloc(size) : repalloc(destination->slots, size));
    const TupleTableSlotOps *const kind = table_slot_callbacks(destination->relation->ri_RelationDesc);
    for (; destination->room < room; ++destination->room)
        destination->slots[destination->room] = MakeSingleTupleTableSlot(destination->description, kind);
    MemoryContextSwitchTo(previous);
    return destination->slots[destination->count];
}

// Computes generated columns and checks constraints.
void MultiInsert::check(Destination *destination, TupleTableSlot *row) {
    ResultRelInfo *const relation = destination->relation;
    const TupleConstr *const constraints = destination->description->constr;
    row->tts_tableOid = RelationGetRelid(relation->ri_RelationDesc);
    if (constraints != nullptr && constraints->has_generated_stored)
        ExecComputeStoredGenerated(relation, state_, row, CMD_INSERT);
    if (relation->ri_FdwRoutine != nullptr) return; // the other server checks its constraints
    if (constraints != nullptr) ExecConstraints(relation, row, state_);
    // A row that was routed is in its partition, unless a trigger has changed it.
    const bool was_routed = relation->ri_RootResultRelInfo != nullptr;
    const bool was_changed = relation->ri_TrigDesc != nullptr && relation->ri_TrigDesc->trig_insert_before_row;
    if (relation->ri_RelationDesc->rd_rel->relispartition && (!was_routed || was_changed))
        ExecPartitionCheck(relation, row, state_, true);
}

void MultiInsert::flush() {
    for (int i = stored_; i < count_; ++i)
        if (rows_[i].destination->count > 0) store(rows_[i].destination);
    bytes_ = 0;
    for (; stored_ < count_; ++stored_) {
        finish(rows_[stored_]);
        ResetPerTupleExprContext(state_);
    }
}

// Sends the waiting rows of a foreign table, as many at once as its server is to get.
void MultiInsert::send(Destination *destination) {
    ResultRelInfo *const relation = destination->relation;
    for (int sent = 0; sent < destination->count; sent += relation->ri_BatchSize) {
        int count = Min(relation->ri_BatchSize, destination->count - sent);
        relation->ri_FdwRoutine->ExecForeignBatchInsert(state_, relation, destination->slots + sent, nullptr, &count);
        if (insert_->canSetTag) state_->es_processed += static_cast<uint64>(count);
    }
    destination->count = 0;
}

void MultiInsert::store(Destination *destination) {
    if (destination->relation->ri_FdwRoutine != nullptr) return send(destination);
    // It holds a page of the relation.
    if (destination != stored_last_) ReleaseBulkInsertStatePin(bulk_);
    stored_last_ = destination;
    const MemoryContext previous = MemoryContextSwitchTo(GetPerTupleMemoryContext(state_));
    table_multi_insert(destination->relation->ri_RelationDesc, destination->slots, destination->count,
                       state_->es_output_cid, 0, bulk_);
    MemoryContextSwitchTo(previous);
    ResetPerTupleExprContext(state_);
    destination->count = 0;
}

// Does what follows the storage of a row.
void MultiInsert::finish(const Row &row) {
    ResultRelInfo *const relation = row.destination->relation;
    if (relation->ri_FdwRoutine != nullptr && !row.destination->is_alone) return;
    List *rechecked = NIL; // indexes whose uniqueness is checked later
    if (relation->ri_NumIndices > 0 && relation->ri_FdwRoutine == nullptr)
        rechecked = compat::insert_index_tuples(relation, row.slot, state_);
    if (insert_->canSetTag) ++state_->es_processed;
    ExecARInsertTriggers(state_, relation, row.slot, rechecked, insert_->mt_transition_capture);
    list_free(rechecked);
}

TupleTableSlot *MultiInsert::returning(int number) const {
    const Row &row = rows_[number];
    ProjectionInfo *const projection = row.destination->relation->ri_projectReturning;
    row.slot->tts_tableOid = RelationGetRelid(row.destination->relation->ri_RelationDesc);
    projection->pi_exprContext->ecxt_scantuple = row.slot;
    projection->pi_exprContext->ecxt_outertuple = nullptr;
    return ExecProject(projection);
}

void MultiInsert::end() {
    FreeBulkInsertState(bulk_);
    for (int i = 0; i < list_length(destinations_); ++i) {
        auto *const destination = static_cast<Destination *>(list_nth(destinations_, i));
        for (int j = 0; j < destination->room; ++j) ExecDropSingleTupleTableSlot(destination->slots[j]);
        if (destination->relation->ri_FdwRoutine == nullptr)
            table_finish_bulk_insert(destination->relation->ri_RelationDesc, 0);
        destination->relation->ri_CopyMultiInsertBuffer = nullptr;
    }
}

} // namespace pgci
