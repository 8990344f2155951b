#include "request/copy_arguments.hpp"

#include "server/guard.hpp"
#include "request/function_arguments.hpp"
#include "request/request_rules.hpp"

namespace pgci {

void refuse_word(const char *name, const std::string &value, const char *allowed) {
    raise(sqlstate::invalid_parameter, std::string("invalid value for argument \"") + name + "\": \"" + value + "\"",
          std::string("Allowed values are ") + allowed + ".");
}

namespace {

constexpr int default_batch = 2000;
constexpr int largest_batch = 1000000;

// The value of an argument that has a default; an absent one has it, too.
std::string word_value(const FunctionArguments &arguments, const char *name, const char *otherwise) {
    return arguments.has(name) ? arguments.required_text(name) : otherwise;
}

Mode mode_value(const FunctionArguments &arguments) {
    const std::string value = word_value(arguments, "mode", "append");
    const std::optional<Mode> found = find_mode(value);
    if (!found) refuse_word("mode", value, "append, skip, upsert, replace");
    return *found;
}

OnRerun on_rerun_value(const FunctionArguments &arguments) {
    const std::string value = word_value(arguments, "on_rerun", "error");
    if (value == "error") return OnRerun::error;
    if (value == "skip") return OnRerun::skip;
    if (value == "run") return OnRerun::run;
    refuse_word("on_rerun", value, "error, skip, run");
}

Method method_value(const FunctionArguments &arguments) {
    const std::string value = word_value(arguments, "method", "cursor");
    const std::optional<Method> found = find_method(value);
    if (!found) refuse_word("method", value, "cursor, copy, bulk");
    return *found;
}

Settle settle_value(const FunctionArguments &arguments) {
    const std::string value = word_value(arguments, "settle", "warn");
    if (value == "ignore") return Settle::ignore;
    if (value == "warn") return Settle::warn;
    if (value == "wait") return Settle::wait;
    if (value == "error") return Settle::error;
    refuse_word("settle", value, "ignore, warn, wait, error");
}

OnError on_error_value(const FunctionArguments &arguments) {
    const std::string value = word_value(arguments, "on_error", "stop");
    if (value == "stop") return OnError::stop;
    if (value == "reject") return OnError::reject;
    refuse_word("on_error", value, "stop, reject");
}

std::optional<std::int64_t> reject_limit_value(const FunctionArguments &arguments) {
    if (arguments.is_null("reject_limit")) return std::nullopt;
    const std::int64_t rows = DatumGetInt64(arguments.value("reject_limit"));
    if (rows < 0)
        raise(sqlstate::invalid_parameter, "reject_limit must not be negative, but is " + std::to_string(rows),
              "It is the number of rows that may be rejected; NULL is no limit.");
    return rows;
}

int lookback_value(const FunctionArguments &arguments) {
    constexpr int most_days = 3660;
    if (!arguments.has("lookback")) return 0;
    arguments.require("lookback");
    const int days = DatumGetInt32(arguments.value("lookback"));
    if (days < 0 || days > most_days)
        raise(sqlstate::invalid_parameter,
              "lookback must be between 0 and " + std::to_string(most_days) + ", not " + std::to_string(days),
              "It is the number of days before the window that are loaded again with it.");
    return days;
}

bool verify_value(const FunctionArguments &arguments) {
    if (!arguments.has("verify")) return false;
    arguments.require("verify");
    return DatumGetBool(arguments.value("verify"));
}

std::optional<std::vector<std::string>> key_columns_value(const FunctionArguments &arguments) {
    if (arguments.is_null("key_columns")) return std::nullopt;
    const Datum value = arguments.value("key_columns");
    Datum *elements = nullptr;
    bool *nulls = nullptr;
    int count = 0;
    pg_call([&] {
        deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
    });
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) {
        if (nulls[i]) raise(sqlstate::null_not_allowed, "key_columns must not hold a null", "Pass column names.");
        const Datum element = elements[i];
        names.emplace_back(pg_call([=] { return TextDatumGetCString(element); }));
    }
    if (names.empty())
        raise(sqlstate::invalid_parameter, "key_columns must not be empty", "Pass NULL for the primary key.");
    return names;
}

int batch_value(const FunctionArguments &arguments) {
    if (!arguments.has("batch")) return default_batch;
    arguments.require("batch");
    const int rows = DatumGetInt32(arguments.value("batch"));
    if (rows < 1 || rows > largest_batch)
        raise(sqlstate::invalid_parameter,
              "batch must be between 1 and " + std::to_string(largest_batch) + ", not " + std::to_string(rows),
              "It is the number of rows of a FETCH and of an INSERT; 2000 is a good one.");
    return rows;
}

} // namespace

DayRange read_days(const FunctionArguments &arguments) {
    arguments.require("first_day");
    arguments.require("last_day");
    return {DatumGetDateADT(arguments.value("first_day")), DatumGetDateADT(arguments.value("last_day"))};
}

// The regclass '-' is 0, which must not pass for no target.
Oid read_target(const FunctionArguments &arguments) {
    if (arguments.is_null("target")) return InvalidOid;
    const Oid relation = DatumGetObjectId(arguments.value("target"));
    if (!OidIsValid(relation))
        raise(sqlstate::undefined_table, "argument \"target\" is no table",
              "Pass target => 'schema.table', or leave it out.");
    return relation;
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
    request.batch = batch_value(arguments);
    request.target = read_target(arguments);
    request.mode = mode_value(arguments);
    request.replace_where = arguments.optional_text("replace_where");
    request.key_columns = key_columns_value(arguments);
    request.transform = arguments.optional_text("transform");
    request.time_zone = arguments.optional_text("time_zone");
    request.on_rerun = on_rerun_value(arguments);
    request.method = method_value(arguments);
    request.settle = settle_value(arguments);
    request.lookback = lookback_value(arguments);
    request.verify = verify_value(arguments);
    request.on_error = on_error_value(arguments);
    request.reject_limit = reject_limit_value(arguments);
    request.commit_batches = commit_batches;
    // Without a mode nothing is written, and what the arguments say is how to tell the rows.
    if (arguments.has("mode")) check_rules(request);
    request.schema = extension_schema(fcinfo);
    return request;
}

} // namespace pgci
