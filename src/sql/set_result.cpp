#include "sql/set_result.hpp"

#include "server/guard.hpp"

namespace pgci {

SetResult::SetResult(FunctionCallInfo fcinfo) : result_(reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo)) {
    pg_call([=, this] {
        InitMaterializedSRF(fcinfo, 0);
        input_ = TupleDescGetAttInMetadata(result_->setDesc);
        memory_ = AllocSetContextCreate(CurrentMemoryContext, "copy_incremental result", ALLOCSET_DEFAULT_SIZES);
    });
}

void SetResult::add(const TextRow &row) {
    std::vector<char *> values;
    values.reserve(row.size());
    for (const std::optional<std::string> &value : row)
        values.push_back(value ? const_cast<char *>(value->c_str()) : nullptr);
    pg_call([&] {
        CHECK_FOR_INTERRUPTS();
        const MemoryContext previous = MemoryContextSwitchTo(memory_);
        tuplestore_puttuple(result_->setResult, BuildTupleFromCStrings(input_, values.data()));
        MemoryContextSwitchTo(previous);
        MemoryContextReset(memory_);
    });
}

void return_rows(FunctionCallInfo fcinfo, const std::vector<TextRow> &rows) {
    SetResult result(fcinfo);
    for (const TextRow &row : rows) result.add(row);
}

} // namespace pgci
