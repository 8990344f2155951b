#include "sql/set_result.hpp"

#include "server/guard.hpp"

namespace pgci {

void return_rows(FunctionCallInfo fcinfo, const std::vector<TextRow> &rows) {
    pg_call([&] { InitMaterializedSRF(fcinfo, 0); });
    const auto *const result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    const AttInMetadata *const input = pg_call([&] { return TupleDescGetAttInMetadata(result->setDesc); });
    for (const TextRow &row : rows) {
        std::vector<char *> values;
        for (const std::optional<std::string> &value : row)
            values.push_back(value ? const_cast<char *>(value->c_str()) : nullptr);
        pg_call([&] {
            const HeapTuple tuple = BuildTupleFromCStrings(const_cast<AttInMetadata *>(input), values.data());
            tuplestore_puttuple(result->setResult, tuple);
            heap_freetuple(tuple);
        });
    }
}

void return_dates(FunctionCallInfo fcinfo, const std::vector<DateADT> &dates) {
    pg_call([&] {
        InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
        const auto *const result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
        for (const DateADT date : dates) {
            Datum value = DateADTGetDatum(date);
            bool is_null = false;
            tuplestore_putvalues(result->setResult, result->setDesc, &value, &is_null);
        }
    });
}

} // namespace pgci
