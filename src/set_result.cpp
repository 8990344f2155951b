#include "set_result.hpp"

#include "guard.hpp"

namespace pgci {

void return_dates(FunctionCallInfo fcinfo, const std::vector<DateADT> &dates) {
    pg_call([&] {
        auto *const result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
        if (result == nullptr || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0)
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                            errmsg("set-valued function called in context that cannot accept a set")));
        const MemoryContext previous = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
        result->returnMode = SFRM_Materialize;
        result->setDesc = CreateTemplateTupleDesc(1);
        TupleDescInitEntry(result->setDesc, 1, "day", DATEOID, -1, 0);
        result->setResult =
            tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
        for (const DateADT date : dates) {
            const Datum value = DateADTGetDatum(date);
            const bool is_null = false;
            tuplestore_putvalues(result->setResult, result->setDesc, const_cast<Datum *>(&value),
                                 const_cast<bool *>(&is_null));
        }
        MemoryContextSwitchTo(previous);
    });
}

} // namespace pgci
