#include "ledger/rejects.hpp"

#include "server/guard.hpp"

namespace pgci {

void Rejects::add(const RunFailure &failure, const std::string &row) {
    ++count_;
    if (limit_ && count_ > *limit_)
        raise(sqlstate::too_many_rejects,
              "more than " + std::to_string(*limit_) + " rows were rejected, so nothing was loaded",
              "See what is wrong with the rows, or pass a higher reject_limit.",
              "The last one: " + failure.sqlstate() + ": " + failure.message + "; " + row + ".");
    ledger_.reject(run_id_, batch_, failure, row);
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
