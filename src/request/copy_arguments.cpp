#include "request/copy_arguments.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "request/option_arguments.hpp"

namespace pgci {

// Checks the options that define the window. Every function that takes a query has them.
static void check_window_rules(const CopyRequest &request) {
    if (request.window_column && !request.has_window())
        raise(sqlstate::invalid_parameter, "window_column has no meaning without a window",
              "Pass a day, or leave window_column out to copy the whole result.");
    if (request.column_time_zone && !request.window_column)
        raise(sqlstate::invalid_parameter, "column_time_zone has no meaning without window_column", "Pass both.");
    if (request.create_partitions != CreatePartitions::none && !request.window_column)
        raise(sqlstate::invalid_parameter, "create_partitions has no meaning without window_column", "Pass both.");
    if (request.window_kind != WindowKind::ids) return;
    const auto refuse = [](const char *option, const char *hint) {
        raise(sqlstate::invalid_parameter, std::string(option) + " has no meaning with windows of ids", hint,
              "The window_column is of type smallint, integer or bigint.");
    };
    if (request.column_time_zone) refuse("column_time_zone", "Leave it out.");
    if (request.create_partitions != CreatePartitions::none) refuse("create_partitions", "Leave it out.");
    if (request.replace_where) refuse("replace_where", "Leave it out: the slice is derived from window_column.");
    if (request.lookback > 0)
        refuse("lookback", "Leave it out. Rows that are changed later are found by copy_incremental_repair().");
}

std::int64_t read_size(const std::string &size, const char *option) {
    std::int64_t bytes = 0;
    try {
        bytes = pg_call([text = size.c_str()] {
            return DatumGetInt64(DirectFunctionCall1(pg_size_bytes, CStringGetTextDatum(text)));
        });
    } catch (const PgError &error) {
        // An error of the syntax or of the range; others are not about the text.
        if (error.data()->sqlerrcode != ERRCODE_INVALID_PARAMETER_VALUE &&
            error.data()->sqlerrcode != ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE &&
            error.data()->sqlerrcode != ERRCODE_INVALID_TEXT_REPRESENTATION)
            throw;
    }
    if (bytes <= 0)
        raise(sqlstate::invalid_parameter,
              std::string("invalid value for argument \"") + option + "\": \"" + shorten(size) + "\"",
              "It is a size such as '64MB'.");
    return bytes;
}

// Checks the options that limit how fast the source is read.
static void check_throttle(const CopyRequest &request) {
    if (request.max_rows_per_second == 0)
        raise(sqlstate::invalid_parameter, "max_rows_per_second must be at least 1", "Leave it out for no limit.");
    if (!request.max_replica_lag) return;
    (void)read_size(*request.max_replica_lag, "max_replica_lag");
    if (request.method != Method::cursor)
        raise(sqlstate::feature_not_supported, "max_replica_lag needs method cursor",
              "Use method => 'cursor', or leave it out.",
              "The connection of a COPY can ask the source nothing else until its end.");
}

static void check_group_name(const std::string &name) {
    if (!name.empty() && name.size() < NAMEDATALEN && !has_control_character(name)) return;
    raise(sqlstate::invalid_parameter,
          name.empty() ? "job_group must not be empty" : "job_group \"" + shorten(name) + "\" is not a name",
          "A name has 1 to " + std::to_string(NAMEDATALEN - 1) + " bytes and no control characters.");
}

void check_rules(const CopyRequest &request) {
    check_window_rules(request);
    check_throttle(request);
    const std::string mode(word_of(request.mode));
    const bool has_window = request.has_window();
    const auto refuse = [](const std::string &message, const char *hint) {
        raise(sqlstate::invalid_parameter, message, hint);
    };
    if (request.replace_where && request.mode != Mode::replace && !request.verify)
        refuse("replace_where has no meaning in mode " + mode, "Use it with mode => 'replace', or verify => true.");
    if (request.lookback > 0 && request.mode != Mode::replace && request.mode != Mode::upsert)
        refuse("lookback has no meaning in mode " + mode, "Use it with mode => 'replace' or 'upsert'.");
    if (request.lookback > 0 && !has_window)
        refuse("lookback has no meaning without a window", "Pass a day, or leave lookback out.");
    if ((request.settle == Settle::wait || request.settle == Settle::error) && !has_window)
        refuse("settle => '" + std::string(word_of(request.settle)) + "' has no meaning without a window",
               "Pass a day, or leave settle out: a whole result has no end after which it is complete.");
    if (request.job_group && !has_window)
        refuse("job_group has no meaning for a job without windows",
               "Leave it out: catch_up does not load such a job. copy_incremental_run() does.");
    if (request.job_group) check_group_name(*request.job_group);
    if (request.on_error == OnError::reject && request.method != Method::cursor)
        raise(sqlstate::feature_not_supported, "on_error => 'reject' needs method cursor", "Use method => 'cursor'.");
    if (request.reject_limit && request.on_error != OnError::reject)
        refuse("reject_limit has no meaning without on_error => 'reject'", "Pass both, or neither.");
    if (request.verify && request.transform)
        refuse("verify cannot be used with transform",
               "The rows that the transform should have written are not known.");
    if (request.key_columns && request.mode != Mode::skip && request.mode != Mode::upsert)
        refuse("key_columns has no meaning in mode " + mode, "Use it with mode => 'skip' or 'upsert'.");
    if (request.update_columns && request.mode != Mode::upsert)
        refuse("update_columns has no meaning in mode " + mode, "Use it with mode => 'upsert'.");
    if (request.update_where && request.mode != Mode::upsert)
        refuse("update_where has no meaning in mode " + mode, "Use it with mode => 'upsert'.");
    if (request.update_where && request.verify)
        refuse("verify cannot be used with update_where",
               "Rows that update_where keeps differ from those of the source.");
    if (request.on_new_column != OnNewColumn::error && request.transform)
        refuse("on_new_column has no meaning with transform", "The transform says which columns the target gets.");
    if (request.on_rerun != OnRerun::error && request.mode != Mode::append)
        refuse("on_rerun has no meaning in mode " + mode, "The mode is harmless to repeat; leave on_rerun out.");
    // These options need the INSERT of method cursor.
    const auto refuse_method = [&](const std::string &what) {
        raise(sqlstate::feature_not_supported,
              "method " + std::string(word_of(request.method)) + " does not support " + what,
              "Use method => 'cursor'.");
    };
    if (request.method != Method::cursor && (request.mode == Mode::skip || request.mode == Mode::upsert))
        refuse_method("mode " + mode);
    if (request.method != Method::cursor && request.transform) refuse_method("a transform");
    if (request.method == Method::copy && request.commit_batches)
        raise(sqlstate::feature_not_supported, "method copy does not support copy_incremental_batches()",
              "Use method => 'cursor'.", "A COPY is written as a whole.");
    if (request.mode == Mode::replace && has_window && !request.replace_where && !request.window_column)
        refuse("mode replace needs replace_where or window_column",
               "Pass the condition of the target's slice, such as replace_where => 'created_at >= $1 AND created_at < "
               "$2', or window_column => 'created_at' and a query without the day.");
}

CopyRequest read_copy_arguments(FunctionCallInfo fcinfo, bool commit_batches) {
    const NamedValues arguments(fcinfo);
    CopyRequest request;
    request.src_conninfo = arguments.required_text("src_conninfo");
    request.query_template = arguments.required_text("query_template");
    if (arguments.has("data_interval")) {
        arguments.require("data_interval");
        const Datum value = arguments.value("data_interval");
        request.span = read_span(pg_call([=] { return DatumGetRangeTypeP(value); }));
    } else if (!arguments.is_null("day")) {
        request.day = DatumGetDateADT(arguments.value("day"));
    }
    read_options(arguments, request);
    request.commit_batches = commit_batches;
    // Without a mode the function writes nothing, and the options only describe the rows.
    if (arguments.has("mode"))
        check_rules(request);
    else
        check_window_rules(request);
    request.schema = extension_schema(fcinfo);
    return request;
}

} // namespace pgci
