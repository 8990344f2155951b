#include "request/copy_arguments.hpp"

#include "server/guard.hpp"
#include "request/option_arguments.hpp"
#include "request/request_rules.hpp"

namespace pgci {

DayRange read_days(const FunctionArguments &arguments) {
    arguments.require("first_day");
    arguments.require("last_day");
    return {DatumGetDateADT(arguments.value("first_day")), DatumGetDateADT(arguments.value("last_day"))};
}

CopyRequest read_copy_arguments(FunctionCallInfo fcinfo, bool commit_batches) {
    const FunctionArguments arguments(fcinfo);
    CopyRequest request;
    request.src_conninfo = arguments.required_text("src_conninfo");
    request.query_template = arguments.required_text("query_template");
    if (arguments.has("data_interval")) {
        arguments.require("data_interval");
        const Datum value = arguments.value("data_interval");
        request.data_interval = pg_call([=] { return DatumGetRangeTypeP(value); });
    } else if (!arguments.is_null("day")) {
        request.day = DatumGetDateADT(arguments.value("day"));
    } else if (arguments.has("first_day")) {
        arguments.require("first_day");
        request.day = DatumGetDateADT(arguments.value("first_day"));
    }
    read_options(arguments, request);
    request.commit_batches = commit_batches;
    // Without a mode nothing is written, and what the arguments say is how to tell the rows.
    if (arguments.has("mode")) check_rules(request);
    request.schema = extension_schema(fcinfo);
    return request;
}

} // namespace pgci
