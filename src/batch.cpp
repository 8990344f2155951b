#include "batch.hpp"

namespace pgci {

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
    result->setResult = current_->rows;
    current_->rows = nullptr;
    MemoryContextSwitchTo(previous);
}

} // namespace pgci
