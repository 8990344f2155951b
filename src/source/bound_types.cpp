#include "source/bound_types.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "server/sql_text.hpp"
#include "template/column_window.hpp"
#include "connection/question.hpp"
#include "source/source_names.hpp"
#include "source/table_column.hpp"

namespace pgci {

namespace {

bool is_text(SourceSession &source, Oid type) {
    switch (type) {
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case NAMEOID:
        return true;
    default:
        break;
    }
    // A type of the source's own, such as citext.
    const Answer found =
        ask(source.connection(),
            {.kind = "the question about a parameter's type",
             .statement =
                 RemoteConnection::Statement{
                     .sql = "SELECT CASE WHEN typcategory OPERATOR(pg_catalog.=) 'S' THEN 1 ELSE 0 END FROM "
                            "pg_catalog.pg_type WHERE oid OPERATOR(pg_catalog.=) $1::pg_catalog.oid",
                     .parameters = {std::to_string(type)}},
             .least_rows = 0});
    return found.rows() == 1 && found.integer(0, 0, 0, 1) == 1;
}

constexpr const char *text_hint = "Write $1::date::text for dates in ISO form, or '{day}' and '{next_day}', or use "
                                  "window_column with a column that is "
                                  "a date.";

// A type of an extension may be a moment.
bool may_be_moment(Oid type) {
    switch (type) {
    case TIMESTAMPTZOID:
    case TIMESTAMPOID:
    case DATEOID:
        return true;
    default:
        return type >= FirstNormalObjectId;
    }
}

bool is_number(Oid type) {
    return type == INT2OID || type == INT4OID || type == INT8OID || type == NUMERICOID || type == FLOAT4OID ||
           type == FLOAT8OID;
}

bool has_no_zone(Oid type) { return type == TIMESTAMPOID || type == DATEOID; }

} // namespace

SourceQuery bind_window(SourceSession &source, const SourceQuery &query, const Window &window, const TimeZone &zone) {
    const std::vector<Oid> types = source.parameter_types();
    std::vector<std::string> values = query.parameters();
    for (std::size_t i = 0; i < types.size(); ++i) {
        const std::string name = "$" + std::to_string(i + 1);
        if (has_no_zone(types[i])) {
            const ColumnWindow local = window_in_type(window, types[i], zone, name);
            values[i] = i == 0 ? local.start : local.end;
        } else if (types[i] != TIMESTAMPTZOID) {
            const bool text = is_text(source, types[i]);
            if (text || !may_be_moment(types[i]))
                raise_no_moment(
                    {.subject = "parameter " + name + " of the query",
                     .type_name = sanitize(
                         type_names(source.connection(), {SourceColumn{.name = "", .type = types[i]}})[0].c_str(), 100),
                     .type = types[i],
                     .is_text = text,
                     .column = query.bounds().column});
        }
    }
    return query.with_parameters(std::move(values));
}

void raise_no_moment(const NoMoment &value) {
    std::string hint = "Write $1::timestamptz or $1::date, so that it is a point in time.";
    if (value.is_text) hint = text_hint;
    if (is_number(value.type))
        hint = "Write " + form_to_write(value.type, value.column.empty() ? "created_at" : value.column) +
               "; multiply by 1000 for milliseconds.";
    raise(sqlstate::datatype_mismatch, value.subject + " is of type " + value.type_name, hint,
          value.is_text ? "The window would be compared as text, not as time." : "The window is a range of time.");
}

void check_placeholders(SourceSession &source, const SourceQuery &query, Oid table, const Window &window,
                        const TimeZone &zone) {
    const std::vector<std::string> &casts = query.bounds().placeholder_casts;
    const auto is_cast_to = [&](const char *type) {
        return std::find(casts.begin(), casts.end(), type) != casts.end();
    };
    bool is_timestamp = is_cast_to("timestamp");
    bool is_date = is_cast_to("date");
    if (is_cast_to("") && query.only_relation() && !query.bounds().column.empty())
        if (const std::optional<TableColumn> column = find_table_column(source, table, query.bounds().column)) {
            if (column->is_text)
                raise(sqlstate::datatype_mismatch,
                      "column \"" + shorten(column->name) + "\" of " + column->table + " is of a text type",
                      "Write '{day}' and '{next_day}' for dates in ISO form.",
                      "{start} and {end} would be compared as text, not as time.");
            is_timestamp = is_timestamp || column->type == TIMESTAMPOID;
            is_date = is_date || column->type == DATEOID;
        }
    if (is_date) (void)window_in_type(window, DATEOID, zone, "the value that is compared with {start} and {end}");
    if (is_timestamp && has_repeated_bound(window, zone))
        raise(
            sqlstate::datetime_overflow,
            "window " + window.name() + " begins or ends at a local time that occurs twice in time zone " + zone.name(),
            "Use $1 and $2, or window_column, which divide the repeated hour; or compare with '{start}'::timestamptz.",
            "The query compares {start} and {end} with a timestamp without time zone.");
}

std::vector<std::string> bound_warnings(SourceSession &source, const SourceQuery &query, Oid table,
                                        const TimeZone &zone) {
    const WindowBounds &bounds = query.bounds();
    std::vector<std::string> warnings;
    if (bounds.has_one_end())
        warnings.push_back(
            std::string("the query has ") +
            (bounds.has_lower_only ? "a lower bound but no upper bound" : "an upper bound but no lower bound") +
            ": each window is a snapshot with rows of other windows");
    const std::vector<Oid> &types = source.parameter_types();
    bool is_local = std::find(types.begin(), types.end(), TIMESTAMPOID) != types.end();
    std::string subject = "$1";
    std::optional<TableColumn> column;
    if (query.only_relation() && !bounds.column.empty()) column = find_table_column(source, table, bounds.column);
    if (column) {
        subject = "column \"" + shorten(column->name) + "\"";
        for (std::string &warning : column_warnings(*column, subject, false)) warnings.push_back(std::move(warning));
        is_local = is_local || column->type == TIMESTAMPOID;
    }
    if (is_local && !bounds.converts_time_zone)
        warnings.push_back(subject + " has no time zone, and is compared with local time of " + zone.name() +
                           "; if it holds another, write $1::timestamptz AT TIME ZONE 'UTC', or use window_column and "
                           "column_time_zone");
    return warnings;
}

std::string form_to_write(Oid type, const std::string &column) {
    const std::string name = shorten(quote_identifier(column));
    const auto window = [&](const std::string &start, const std::string &end) {
        return name + " >= " + start + " AND " + name + " < " + end;
    };
    switch (type) {
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
        return window("$1::date::text", "$2::date::text") + " for dates in ISO form";
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case NUMERICOID:
    case FLOAT4OID:
    case FLOAT8OID: {
        const std::string cast = type == INT8OID || type == INT4OID ? "::bigint" : "::numeric";
        return window("extract(epoch FROM $1::timestamptz)" + cast, "extract(epoch FROM $2::timestamptz)" + cast) +
               " for seconds since 1970";
    }
    default:
        return window("$1", "$2");
    }
}

} // namespace pgci
