#include "ledger/rejects.hpp"

#include "server/guard.hpp"
#include "server/temporary_memory.hpp"

namespace pgci {

void Rejects::add(RunFailure failure, std::string row) {
    ++count_;
    if (limit_ && count_ > *limit_)
        raise(sqlstate::too_many_rejects,
              "more than " + std::to_string(*limit_) + " rows were rejected, so nothing was loaded",
              "See what is wrong with the rows, or pass a higher reject_limit.",
              "The last one: " + failure.sqlstate() + ": " + failure.message + "; " + row + ".");
    failure.context.clear();
    constexpr std::size_t overhead = sizeof(Reject) + 64;
    bytes_ += overhead + row.size() + failure.message.size() + failure.detail.size();
    not_written_.push_back({std::move(failure), std::move(row)});
    constexpr std::size_t worth_writing = 256 * 1024;
    if (bytes_ > worth_writing) write();
}

void Rejects::write() {
    if (not_written_.empty()) return;
    const TemporaryMemory memory;
    ledger_.record_rejects(run_id_, batch_, not_written_);
    not_written_.clear();
    bytes_ = 0;
}

char *row_to_json(TupleDesc description, const Datum *values, const bool *nulls) {
    StringInfoData json;
    initStringInfo(&json);
    for (int i = 0; i < description->natts; ++i) {
        const Form_pg_attribute attribute = TupleDescAttr(description, i);
        appendStringInfoString(&json, i == 0 ? "{" : ", ");
        escape_json(&json, NameStr(attribute->attname));
        appendStringInfoString(&json, ": ");
        if (nulls[i]) {
            appendStringInfoString(&json, "null");
            continue;
        }
        Oid output = InvalidOid;
        bool is_varlena = false;
        getTypeOutputInfo(attribute->atttypid, &output, &is_varlena);
        escape_json(&json, OidOutputFunctionCall(output, values[i]));
    }
    appendStringInfoChar(&json, '}');
    return json.data;
}

} // namespace pgci
