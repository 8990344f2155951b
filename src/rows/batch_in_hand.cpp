#include "rows/batch_in_hand.hpp"

namespace pgci {

BatchInHand &BatchInHand::get() {
    if (current_ == nullptr)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("no batch is being inserted"),
                        errhint("copy_incremental_batch_rows() is for copy_incremental() alone.")));
    return *current_;
}

void BatchInHand::check(bool is_outside, Datum stored, bool has_null_key) {
    if (is_outside && refused_.outside++ == 0)
        refused_.stored = MemoryContextStrdup(CurTransactionContext, TextDatumGetCString(stored));
    refused_.has_null_key |= has_null_key;
}

// For statements whose plan has no BatchScan.
void BatchInHand::return_rows(FunctionCallInfo fcinfo) {
    const BatchInHand &hand = get();
    auto *const result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    if (result == nullptr || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("set-valued function called in context that cannot accept a set")));
    const MemoryContext previous = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
    const Batch &batch = hand.batch();
    result->returnMode = SFRM_Materialize;
    result->setDesc = CreateTupleDescCopy(batch.description());
    result->setResult = tuplestore_begin_heap(false, false, work_mem);
    for (std::size_t i = 0; i < hand.count(); ++i) {
        const Batch::Row row = hand.row(i);
        tuplestore_putvalues(result->setResult, batch.description(), row.values, row.nulls);
    }
    MemoryContextSwitchTo(previous);
}

} // namespace pgci
