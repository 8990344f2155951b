#include "copy_arguments.hpp"

#include "guard.hpp"

namespace pgci {

namespace {

constexpr int largest_batch = 1000000;

// The place of each argument in the SQL signature.
enum Argument : int {
    src_conninfo,
    query_template,
    day,
    batch,
    target,
    mode,
    replace_where,
    key_columns,
    transform,
    time_zone,
    on_rerun,
    method
};

bool is_null(FunctionCallInfo fcinfo, Argument argument) { return PG_ARGISNULL(argument); }

void require(FunctionCallInfo fcinfo, Argument argument, const char *name) {
    if (is_null(fcinfo, argument))
        raise(sqlstate::null_not_allowed, std::string("argument \"") + name + "\" must not be null", "Pass a value.");
}

std::string text_value(FunctionCallInfo fcinfo, Argument argument) {
    const Datum value = PG_GETARG_DATUM(argument);
    return pg_call([=] { return TextDatumGetCString(value); });
}

std::string required_text(FunctionCallInfo fcinfo, Argument argument, const char *name) {
    require(fcinfo, argument, name);
    return text_value(fcinfo, argument);
}

// A choice out of words of which only the first works yet.
void check_choice(FunctionCallInfo fcinfo, Argument argument, const char *name,
                  std::initializer_list<std::string_view> words) {
    const std::string value = required_text(fcinfo, argument, name);
    if (value == *words.begin()) return;
    std::string allowed;
    for (const std::string_view word : words) {
        if (word == value)
            raise(sqlstate::feature_not_supported, std::string(name) + " \"" + value + "\" is not supported yet",
                  std::string("Use ") + name + " => '" + std::string(*words.begin()) + "'.");
        allowed.append(allowed.empty() ? "" : ", ").append(word);
    }
    raise(sqlstate::invalid_parameter, std::string("invalid value for argument \"") + name + "\": \"" + value + "\"",
          "Allowed values are " + allowed + ".");
}

void check_unused(FunctionCallInfo fcinfo, Argument argument, const char *name) {
    if (!is_null(fcinfo, argument))
        raise(sqlstate::feature_not_supported, std::string("argument \"") + name + "\" is not supported yet",
              "Leave it out.");
}

int checked_batch(FunctionCallInfo fcinfo) {
    require(fcinfo, batch, "batch");
    const int rows = PG_GETARG_INT32(batch);
    if (rows < 1 || rows > largest_batch)
        raise(sqlstate::invalid_parameter,
              "batch must be between 1 and " + std::to_string(largest_batch) + ", not " + std::to_string(rows),
              "It is the number of rows of a FETCH and of an INSERT; 2000 is a good one.");
    return rows;
}

// The regclass '-' is 0, which must not pass for no target.
Oid checked_target(FunctionCallInfo fcinfo) {
    const Oid relation = PG_GETARG_OID(target);
    if (!OidIsValid(relation))
        raise(sqlstate::undefined_table, "argument \"target\" is no table",
              "Pass target => 'schema.table', or leave it out.");
    return relation;
}

} // namespace

CopyRequest read_copy_arguments(FunctionCallInfo fcinfo) {
    CopyRequest request;
    request.src_conninfo = required_text(fcinfo, src_conninfo, "src_conninfo");
    request.query_template = required_text(fcinfo, query_template, "query_template");
    if (!is_null(fcinfo, day)) request.day = PG_GETARG_DATEADT(day);
    request.batch = checked_batch(fcinfo);
    if (!is_null(fcinfo, target)) request.target = checked_target(fcinfo);
    check_choice(fcinfo, mode, "mode", {"append", "skip", "upsert", "replace"});
    check_unused(fcinfo, replace_where, "replace_where");
    check_unused(fcinfo, key_columns, "key_columns");
    check_unused(fcinfo, transform, "transform");
    if (!is_null(fcinfo, time_zone)) request.time_zone = text_value(fcinfo, time_zone);
    check_choice(fcinfo, on_rerun, "on_rerun", {"error", "skip", "run"});
    check_choice(fcinfo, method, "method", {"cursor", "copy", "bulk"});
    request.schema = pg_call([=] { return get_func_namespace(fcinfo->flinfo->fn_oid); });
    return request;
}

} // namespace pgci
