#include "copy_arguments.hpp"

#include "function_arguments.hpp"
#include "guard.hpp"
#include "ledger.hpp"
#include "run_control.hpp"

namespace pgci {

namespace {

constexpr int default_batch = 2000;
constexpr int largest_batch = 1000000;

[[noreturn]] void refuse_word(const char *name, const std::string &value, const char *allowed) {
    raise(sqlstate::invalid_parameter, std::string("invalid value for argument \"") + name + "\": \"" + value + "\"",
          std::string("Allowed values are ") + allowed + ".");
}

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

// Of the function that was called, and with it of all objects of the extension.
Oid extension_schema(FunctionCallInfo fcinfo) {
    return pg_call([=] { return get_func_namespace(fcinfo->flinfo->fn_oid); });
}

// Arguments that would be ignored are refused.
void check_fit(const CopyRequest &request) {
    const std::string mode(mode_name(request.mode));
    const bool has_window = request.day || request.data_interval != nullptr;
    const auto refuse = [](const std::string &message, const char *hint) {
        raise(sqlstate::invalid_parameter, message, hint);
    };
    if (request.replace_where && request.mode != Mode::replace && !request.verify)
        refuse("replace_where has no meaning in mode " + mode, "Use it with mode => 'replace', or verify => true.");
    if (request.lookback > 0 && request.mode != Mode::replace && request.mode != Mode::upsert)
        refuse("lookback has no meaning in mode " + mode, "Use it with mode => 'replace' or 'upsert'.");
    if (request.lookback > 0 && !has_window)
        refuse("lookback has no meaning without a window", "Pass a day, or leave lookback out.");
    if (request.on_error == OnError::reject && request.method != Method::cursor)
        raise(sqlstate::feature_not_supported, "on_error => 'reject' needs method cursor", "Use method => 'cursor'.");
    if (request.reject_limit && request.on_error != OnError::reject)
        refuse("reject_limit has no meaning without on_error => 'reject'", "Pass both, or neither.");
    if (request.verify && request.transform)
        refuse("verify cannot be used with transform", "What the transform should have written is not known.");
    if (request.key_columns && request.mode != Mode::skip && request.mode != Mode::upsert)
        refuse("key_columns has no meaning in mode " + mode, "Use it with mode => 'skip' or 'upsert'.");
    if (request.on_rerun != OnRerun::error && request.mode != Mode::append)
        refuse("on_rerun has no meaning in mode " + mode, "The mode is harmless to repeat; leave on_rerun out.");
    // These need the INSERT of method cursor.
    const auto refuse_method = [&](const std::string &what) {
        raise(sqlstate::feature_not_supported,
              "method " + std::string(method_name(request.method)) + " does not support " + what,
              "Use method => 'cursor'.");
    };
    if (request.method != Method::cursor && (request.mode == Mode::skip || request.mode == Mode::upsert))
        refuse_method("mode " + mode);
    if (request.method != Method::cursor && request.transform) refuse_method("a transform");
    if (request.mode == Mode::replace && has_window && !request.replace_where)
        refuse("mode replace needs replace_where",
               "Pass the condition of the target's slice, such as replace_where => 'created_at >= $1 AND created_at < "
               "$2'.");
}

DayRange days_value(const FunctionArguments &arguments) {
    arguments.require("first_day");
    arguments.require("last_day");
    return {DatumGetDateADT(arguments.value("first_day")), DatumGetDateADT(arguments.value("last_day"))};
}

int jobs_value(const FunctionArguments &arguments) {
    constexpr int most_jobs = 64;
    arguments.require("jobs");
    const int jobs = DatumGetInt32(arguments.value("jobs"));
    if (jobs < 1 || jobs > most_jobs)
        raise(sqlstate::invalid_parameter,
              "jobs must be between 1 and " + std::to_string(most_jobs) + ", not " + std::to_string(jobs),
              "It is the number of days that are copied at once.");
    return jobs;
}

Reprocess reprocess_value(const FunctionArguments &arguments) {
    const std::string value = arguments.required_text("reprocess");
    if (value == "missing") return Reprocess::missing;
    if (value == "failed") return Reprocess::failed;
    if (value == "all") return Reprocess::all;
    refuse_word("reprocess", value, "missing, failed, all");
}

// The regclass '-' is 0, which must not pass for no target.
Oid target_value(const FunctionArguments &arguments) {
    if (arguments.is_null("target")) return InvalidOid;
    const Oid relation = DatumGetObjectId(arguments.value("target"));
    if (!OidIsValid(relation))
        raise(sqlstate::undefined_table, "argument \"target\" is no table",
              "Pass target => 'schema.table', or leave it out.");
    return relation;
}

} // namespace

CopyRequest read_copy_arguments(FunctionCallInfo fcinfo) {
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
    request.target = target_value(arguments);
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
    // Without a mode nothing is written, and what the arguments say is how to tell the rows.
    if (arguments.has("mode")) check_fit(request);
    request.schema = extension_schema(fcinfo);
    return request;
}

BackfillRequest read_backfill_arguments(FunctionCallInfo fcinfo) {
    const FunctionArguments arguments(fcinfo);
    CopyRequest copy = read_copy_arguments(fcinfo);
    BackfillRequest request{.copy = std::move(copy), .days = days_value(arguments)};
    request.jobs = jobs_value(arguments);
    request.reprocess = reprocess_value(arguments);
    if (request.jobs > 1) request.call = pack_call(fcinfo);
    if (request.reprocess == Reprocess::all && request.copy.mode == Mode::append &&
        request.copy.on_rerun == OnRerun::error)
        raise(sqlstate::invalid_parameter, "reprocess => 'all' in mode append would double the days that are there",
              "Use mode replace or upsert, or reprocess => 'missing'; or on_rerun => 'run' if the rows are gone.");
    return request;
}

std::int64_t start_run(FunctionCallInfo fcinfo) {
    // What is wrong with the arguments is found before a worker is launched.
    return start_run(read_copy_arguments(fcinfo).schema, pack_call(fcinfo));
}

bool wait_for_run(FunctionCallInfo fcinfo) {
    const FunctionArguments arguments(fcinfo);
    arguments.require("run_id");
    std::optional<std::int64_t> milliseconds;
    if (!arguments.is_null("timeout")) {
        const Interval *const timeout = DatumGetIntervalP(arguments.value("timeout"));
        constexpr std::int64_t month = 30;
        const std::int64_t days = timeout->day + month * timeout->month;
        milliseconds = days * (USECS_PER_DAY / 1000) + timeout->time / 1000;
        if (*milliseconds < 0)
            raise(sqlstate::invalid_parameter, "timeout must not be negative", "NULL waits as long as it takes.");
    }
    return wait_for_run(extension_schema(fcinfo), DatumGetInt64(arguments.value("run_id")), milliseconds,
                        pack_call(fcinfo));
}

bool cancel_run(FunctionCallInfo fcinfo) {
    const FunctionArguments arguments(fcinfo);
    arguments.require("run_id");
    return cancel_run(extension_schema(fcinfo), DatumGetInt64(arguments.value("run_id")));
}

void check_may_commit(FunctionCallInfo fcinfo) {
    const bool may_commit = fcinfo->context != nullptr && IsA(fcinfo->context, CallContext) &&
                            !reinterpret_cast<const CallContext *>(fcinfo->context)->atomic;
    if (may_commit) return;
    const Oid procedure = fcinfo->flinfo->fn_oid;
    const std::string name = pg_call([=] { return get_func_name(procedure); });
    raise(sqlstate::invalid_transaction, name + "() cannot be called inside a transaction block",
          "Use autocommit (psycopg: connection.autocommit = True; Airflow: autocommit=True) and one statement per "
          "string; or use copy_incremental(), which is one transaction.",
          name == "copy_incremental_backfill" ? "It commits after every day." : "It commits after every batch.");
}

std::int64_t forget_windows(FunctionCallInfo fcinfo) {
    FunctionArguments(fcinfo).require("target");
    if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2) && PG_GETARG_DATEADT(2) < PG_GETARG_DATEADT(1))
        raise(sqlstate::invalid_parameter, "last_day is before first_day", "Both days are included.");
    const TimeZone zone = TimeZone::resolve(nullptr);
    std::optional<TimestampTz> start;
    std::optional<TimestampTz> end;
    if (!PG_ARGISNULL(1)) start = Window::of_day(PG_GETARG_DATEADT(1), zone).start();
    if (!PG_ARGISNULL(2)) end = Window::of_day(PG_GETARG_DATEADT(2), zone).end();
    const Oid target = PG_GETARG_OID(0);
    return Ledger(extension_schema(fcinfo)).forget(target, start, end);
}

std::vector<DateADT> find_missing_days(FunctionCallInfo fcinfo) {
    const FunctionArguments arguments(fcinfo);
    arguments.require("target");
    const Oid target = target_value(arguments);
    const DayRange days = days_value(arguments);
    pg_call([=] {
        const AclResult allowed = pg_class_aclcheck(target, GetUserId(), ACL_SELECT | ACL_INSERT);
        if (allowed != ACLCHECK_OK) aclcheck_error(allowed, OBJECT_TABLE, get_rel_name(target));
    });
    std::vector<DateADT> missing;
    for (const std::size_t place :
         Ledger(extension_schema(fcinfo)).find_uncovered(target, days.windows(TimeZone::resolve(nullptr))))
        missing.push_back(days.day(place));
    return missing;
}

} // namespace pgci
