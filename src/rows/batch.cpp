#include "rows/batch.hpp"

namespace pgci {

// Copies the rows to another tuplestore, which the executor may free.
static Tuplestorestate *copy_rows(Tuplestorestate *rows, TupleDesc description) {
    Tuplestorestate *const copy = tuplestore_begin_heap(false, false, work_mem);
    TupleTableSlot *const slot = MakeSingleTupleTableSlot(description, &TTSOpsMinimalTuple);
    tuplestore_rescan(rows);
    while (tuplestore_gettupleslot(rows, true, false, slot)) tuplestore_puttupleslot(copy, slot);
    ExecDropSingleTupleTableSlot(slot);
    return copy;
}

void BatchInHand::return_rows(FunctionCallInfo fcinfo) {
    if (current_ == nullptr || current_->rows == nullptr)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("no batch is being inserted"),
                        errhint("copy_incremental_batch_rows() is for copy_incremental() alone.")));
    auto *const result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    if (result == nullptr || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("set-valued function called in context that cannot accept a set")));
    const MemoryContext previous = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
    result->returnMode = SFRM_Materialize;
    result->setDesc = CreateTupleDescCopy(current_->description);
    result->setResult = current_->read_often ? copy_rows(current_->rows, current_->description) : current_->rows;
    if (!current_->read_often) current_->rows = nullptr;
    MemoryContextSwitchTo(previous);
}

} // namespace pgci
