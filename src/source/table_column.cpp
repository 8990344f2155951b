#include "source/table_column.hpp"

#include "server/shown_text.hpp"
#include "server/sql_text.hpp"
#include "connection/question.hpp"

namespace pgci {

namespace {

// Returns one row, or none if this is not a table: the name and type of the column, whether the type is one of texts,
// whether the column may be NULL, the percentage of NULLs according to ANALYZE, whether an index begins with the column,
// and the table.
constexpr const char *column_inquiry =
    "SELECT a.attname, a.atttypid, CASE WHEN t.typcategory OPERATOR(pg_catalog.=) 'S' THEN 1 ELSE 0 END, CASE WHEN "
    "a.attnotnull THEN 0 ELSE 1 END, pg_catalog.round((100 OPERATOR(pg_catalog.*) coalesce((SELECT "
    "pg_catalog.max(s.null_frac) FROM pg_catalog.pg_stats AS s WHERE s.schemaname OPERATOR(pg_catalog.=) n.nspname AND "
    "s.tablename OPERATOR(pg_catalog.=) c.relname AND s.attname OPERATOR(pg_catalog.=) a.attname), "
    "0))::pg_catalog.numeric, 1), CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_index AS i WHERE i.indrelid "
    "OPERATOR(pg_catalog.=) c.oid AND i.indisvalid AND i.indkey[0] OPERATOR(pg_catalog.=) a.attnum) THEN 1 ELSE 0 END, "
    "n.nspname, c.relname FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid "
    "OPERATOR(pg_catalog.=) a.attrelid JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) "
    "c.relnamespace JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) a.atttypid WHERE a.attrelid "
    "OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped AND "
    "c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m}'::pg_catalog.\"char\"[]) AND ";

std::optional<TableColumn> find(SourceSession &source, Oid table, const std::string &condition,
                                const std::string &value) {
    if (!OidIsValid(table)) return std::nullopt;
    const Answer found = ask(source.connection(),
                             {.kind = "the question about the window's column",
                              .statement = RemoteConnection::Statement{.sql = column_inquiry + condition,
                                                                       .parameters = {std::to_string(table), value}},
                              .columns = 8,
                              .least_rows = 0});
    if (found.rows() == 0) return std::nullopt;
    return TableColumn{.name = found.name(0, 0),
                       .table = found.name(0, 6) + "." + found.name(0, 7),
                       .type = static_cast<Oid>(found.integer(0, 1, 1, std::numeric_limits<std::uint32_t>::max())),
                       .is_text = found.integer(0, 2, 0, 1) == 1,
                       .is_nullable = found.integer(0, 3, 0, 1) == 1,
                       .null_percent = sanitize(found.text(0, 4).c_str(), 10),
                       .begins_index = found.integer(0, 5, 0, 1) == 1};
}

} // namespace

std::optional<TableColumn> find_table_column(SourceSession &source, Oid table, int number) {
    return find(source, table, "a.attnum OPERATOR(pg_catalog.=) $2::pg_catalog.int2", std::to_string(number));
}

std::optional<TableColumn> find_table_column(SourceSession &source, Oid table, const std::string &name) {
    return find(source, table, "a.attname OPERATOR(pg_catalog.=) $2::pg_catalog.name", name);
}

std::vector<std::string> column_warnings(const TableColumn &column, const std::string &shown, bool reads_one_table) {
    std::vector<std::string> warnings;
    if (column.is_nullable)
        warnings.push_back(shown + " of " + column.table +
                           (column.null_percent == "0.0"
                                ? " may be NULL."
                                : " is NULL in about " + column.null_percent + "% of the rows.") +
                           " Rows where it is NULL are in no window; load them with day => NULL and a query that has "
                           "WHERE " +
                           shorten(quote_identifier(column.name)) + " IS NULL");
    if (reads_one_table && !column.begins_index)
        warnings.push_back("no index of " + column.table + " begins with " + shown +
                           ": the source reads the whole table for each window");
    return warnings;
}

} // namespace pgci
