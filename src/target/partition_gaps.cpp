#include "target/partition_gaps.hpp"

#include "server/text_rows.hpp"
#include "template/column_window.hpp"

namespace pgci {

namespace {

// The names in pg_catalog of a type of columns, of its range and of its multirange.
struct RangeNames {
    std::string type;
    std::string range;
    std::string multirange;
};

RangeNames names_of(Oid type) {
    if (type == DATEOID) return {"pg_catalog.date", "pg_catalog.daterange", "pg_catalog.datemultirange"};
    if (type == INT8OID) return {"pg_catalog.int8", "pg_catalog.int8range", "pg_catalog.int8multirange"};
    if (type == TIMESTAMPOID) return {"pg_catalog.timestamp", "pg_catalog.tsrange", "pg_catalog.tsmultirange"};
    return {"pg_catalog.timestamptz", "pg_catalog.tstzrange", "pg_catalog.tstzmultirange"};
}

// Returns a row if the column is the whole partition key: the default partition, or NULL.
std::vector<TextRow> find_default(const Target &target, const TargetColumn &column) {
    return select_rows("SELECT CASE WHEN d.oid IS NOT NULL THEN pg_catalog.format('%I.%I', n.nspname, d.relname) END "
                       "FROM pg_catalog.pg_partitioned_table "
                       "AS p JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) p.partrelid AND "
                       "a.attnum OPERATOR(pg_catalog.=) p.partattrs[0] LEFT JOIN (pg_catalog.pg_class AS d JOIN "
                       "pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) d.relnamespace) ON d.oid "
                       "OPERATOR(pg_catalog.=) p.partdefid WHERE p.partrelid OPERATOR(pg_catalog.=) "
                       "$1::pg_catalog.oid AND p.partstrat OPERATOR(pg_catalog.=) 'r' AND p.partnatts "
                       "OPERATOR(pg_catalog.=) 1 AND a.attname OPERATOR(pg_catalog.=) $2::pg_catalog.name",
                       {std::to_string(target.oid()), column.name});
}

// A bound of a partition as a value: NULL for MINVALUE and MAXVALUE.
std::string bound_sql(const char *part, const RangeNames &names) {
    return "CASE WHEN " + std::string(part) + " NOT IN ('MINVALUE', 'MAXVALUE') THEN pg_catalog.btrim(" + part +
           ", '''')::" + names.type + " END";
}

// The window less the bounds of all partitions.
std::string find_gaps(const Target &target, const ColumnWindow &window) {
    const RangeNames names = names_of(window.type);
    const std::string sql =
        "SELECT pg_catalog.string_agg(pg_catalog.format('[%s, %s)', pg_catalog.lower(gap), pg_catalog.upper(gap)), ', "
        "' "
        "ORDER BY gap) FROM (SELECT pg_catalog.unnest(" +
        names.multirange + "(" + names.range + "($2::" + names.type + ", $3::" + names.type +
        ")) OPERATOR(pg_catalog.-) coalesce(pg_catalog.range_agg(" + names.range + "(" + bound_sql("bound[1]", names) +
        ", " + bound_sql("bound[2]", names) + ")), " + names.multirange +
        "())) AS gap FROM (SELECT pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid), 'FROM "
        "\\((.*)\\) TO \\((.*)\\)$') AS bound FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid "
        "OPERATOR(pg_catalog.=) i.inhrelid WHERE i.inhparent OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND NOT "
        "i.inhdetachpending) AS bounds WHERE bound IS NOT NULL) AS gaps";
    return select_rows(sql, {std::to_string(target.oid()), window.start, window.end})[0][0].value_or("");
}

} // namespace

std::string find_partition_warning(const Target &target, const Window &window, const TargetColumn &column,
                                   const TimeZone &zone) {
    const std::vector<TextRow> found = find_default(target, column);
    if (found.empty()) return "";
    const std::string gaps = find_gaps(target, window_of_column(window, column.type, zone, column.name));
    if (gaps.empty()) return "";
    const std::optional<std::string> &default_partition = found[0][0];
    return default_partition ? "rows of " + gaps + " go into the default partition " + *default_partition
                             : "no partition of " + target.name() + " takes rows of " + gaps;
}

} // namespace pgci
