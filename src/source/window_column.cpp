#include "source/window_column.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "server/sql_text.hpp"
#include "connection/question.hpp"

namespace pgci {

namespace {

std::string list_names(const std::vector<SourceColumn> &columns) {
    std::vector<std::string> names;
    names.reserve(columns.size());
    for (const SourceColumn &column : columns) names.push_back(column.name);
    return shorten_list(names);
}

std::string shown(const std::string &name) { return "window_column \"" + shorten(name) + "\""; }

// Returns the condition that the hint suggests for a column whose type has no day.
std::string form_to_write(const SourceColumn &column) {
    const std::string name = shorten(quote_identifier(column.name));
    const auto window = [&](const std::string &start, const std::string &end) {
        return name + " >= " + start + " AND " + name + " < " + end;
    };
    switch (column.type) {
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
        const std::string type = column.type == INT8OID || column.type == INT4OID ? "::bigint" : "::numeric";
        return window("extract(epoch FROM $1::timestamptz)" + type, "extract(epoch FROM $2::timestamptz)" + type) +
               " for seconds since 1970";
    }
    default:
        return window("$1", "$2");
    }
}

// Returns one row, or none if this is not a table: whether the column may be NULL, the fraction of NULLs according to
// ANALYZE, and whether an index starts with the column.
constexpr const char *inquiry =
    "SELECT CASE WHEN a.attnotnull THEN 0 ELSE 1 END, pg_catalog.round((100 OPERATOR(pg_catalog.*) coalesce((SELECT "
    "pg_catalog.max(s.null_frac) FROM pg_catalog.pg_stats AS s WHERE s.schemaname OPERATOR(pg_catalog.=) n.nspname AND "
    "s.tablename OPERATOR(pg_catalog.=) c.relname AND s.attname OPERATOR(pg_catalog.=) a.attname), "
    "0))::pg_catalog.numeric, 1), CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_index AS i WHERE i.indrelid "
    "OPERATOR(pg_catalog.=) c.oid AND i.indisvalid AND i.indkey[0] OPERATOR(pg_catalog.=) a.attnum) THEN 1 ELSE 0 END, "
    "n.nspname, c.relname FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid "
    "OPERATOR(pg_catalog.=) a.attrelid JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) "
    "c.relnamespace WHERE a.attrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND a.attnum OPERATOR(pg_catalog.=) "
    "$2::pg_catalog.int2 AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m}'::pg_catalog.\"char\"[])";

std::string null_warning(const std::string &column, const std::string &table, const std::string &percent) {
    const std::string how = " Rows where it is NULL are in no window; load them with day => NULL and a query that has "
                            "WHERE " +
                            shorten(quote_identifier(column)) + " IS NULL";
    if (percent == "0.0") return shown(column) + " of " + table + " may be NULL." + how;
    return shown(column) + " of " + table + " is NULL in about " + percent + "% of the rows." + how;
}

} // namespace

const SourceColumn &find_window_column(SourceSession &source, const std::vector<SourceColumn> &columns,
                                       const std::string &name) {
    const auto is_named = [&](const SourceColumn &column) { return column.name == name; };
    const auto found = std::find_if(columns.begin(), columns.end(), is_named);
    if (found == columns.end())
        raise(sqlstate::undefined_column, shown(name) + " does not exist in the result of the query",
              "Add the column to the query, or pass another one.", "The query returns " + list_names(columns) + ".");
    if (std::count_if(columns.begin(), columns.end(), is_named) > 1)
        raise(sqlstate::duplicate_column, "query returns the column \"" + shorten(name) + "\" more than once",
              "Columns map by name; give each one a name of its own with AS.");
    if (!has_day(found->type))
        raise(sqlstate::datatype_mismatch,
              shown(name) + " is of type " + sanitize(source.type_names({*found})[0].c_str(), 100) +
                  ", but must be timestamp with time zone, timestamp or date",
              "Leave window_column out, and write the window in the query: " + form_to_write(*found) + ".");
    return *found;
}

std::vector<std::string> find_column_warnings(SourceSession &source, const SourceColumn &column, bool reads_one_table) {
    std::vector<std::string> warnings;
    if (!OidIsValid(column.table)) return warnings;
    const Answer found = ask(source.connection(),
                             {.kind = "the question about the window's column",
                              .statement = RemoteConnection::Statement{.sql = inquiry,
                                                                       .parameters = {std::to_string(column.table),
                                                                                      std::to_string(column.number)}},
                              .columns = 5,
                              .least_rows = 0});
    if (found.rows() == 0) return warnings;
    const std::string table = found.name(0, 3) + "." + found.name(0, 4);
    const bool is_nullable = found.integer(0, 0, 0, 1) == 1;
    const std::string percent = sanitize(found.text(0, 1).c_str(), 10);
    if (is_nullable) warnings.push_back(null_warning(column.name, table, percent));
    if (reads_one_table && found.integer(0, 2, 0, 1) == 0)
        warnings.push_back("no index of " + table + " begins with " + shown(column.name) +
                           ": the source reads the whole table for each window");
    return warnings;
}

} // namespace pgci
