#include "target/partition_gaps.hpp"

#include "server/guard.hpp"
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

// The bounds of all partitions of the table $1 but the default one, as a multirange.
std::string partitions_sql(const RangeNames &names) {
    return "(SELECT coalesce(pg_catalog.range_agg(" + names.range + "(" + bound_sql("bound[1]", names) + ", " +
           bound_sql("bound[2]", names) + ")), " + names.multirange +
           "()) FROM (SELECT pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid), 'FROM \\((.*)\\) "
           "TO "
           "\\((.*)\\)$') AS bound FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid "
           "OPERATOR(pg_catalog.=) i.inhrelid WHERE i.inhparent OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND NOT "
           "i.inhdetachpending) AS bounds WHERE bound IS NOT NULL)";
}

// The window less the bounds of all partitions.
std::string find_gaps(const Target &target, const ColumnWindow &window) {
    const RangeNames names = names_of(window.type);
    const std::string sql =
        "SELECT pg_catalog.string_agg(pg_catalog.format('[%s, %s)', pg_catalog.lower(gap), pg_catalog.upper(gap)), ', "
        "' ORDER BY gap) FROM (SELECT pg_catalog.unnest(" +
        names.multirange + "(" + names.range + "($2::" + names.type + ", $3::" + names.type +
        ")) OPERATOR(pg_catalog.-) " + partitions_sql(names) + ") AS gap) AS gaps";
    return select_rows(sql, {std::to_string(target.oid()), window.start, window.end})[0][0].value_or("");
}

// How a value of the type is converted to the local time that decides its day, back, and to text that means the same with every
// DateStyle. $4 is the time zone.
struct LocalTime {
    std::string (*local)(const std::string &value);
    std::string (*value)(const std::string &local);
    std::string (*text)(const std::string &value);
};

LocalTime local_time_of(Oid type) {
    if (type == TIMESTAMPTZOID)
        return {[](const std::string &value) { return "pg_catalog.timezone($4, " + value + ")"; },
                [](const std::string &local) { return "pg_catalog.timezone($4, " + local + ")"; },
                [](const std::string &value) {
                    return "pg_catalog.to_char(pg_catalog.timezone('UTC', " + value +
                           "), 'YYYY-MM-DD HH24:MI:SS.US\"+00\"')";
                }};
    if (type == TIMESTAMPOID)
        return {
            [](const std::string &value) { return value; }, [](const std::string &local) { return local; },
            [](const std::string &value) { return "pg_catalog.to_char(" + value + ", 'YYYY-MM-DD HH24:MI:SS.US')"; }};
    return {[](const std::string &value) { return value + "::pg_catalog.timestamp"; },
            [](const std::string &local) { return local + "::pg_catalog.date"; },
            [](const std::string &value) {
                return "pg_catalog.to_char(" + value + "::pg_catalog.timestamp, 'YYYY-MM-DD')";
            }};
}

// The gaps in each day or month that the window has a part of: the label of a name, and the bounds.
std::vector<TextRow> find_gaps_of_units(const Target &target, const ColumnWindow &window, const TimeZone &zone,
                                        const char *unit) {
    const RangeNames names = names_of(window.type);
    const LocalTime time = local_time_of(window.type);
    const std::string step = "'1 " + std::string(unit) + "'::pg_catalog.interval";
    const std::string sql =
        "SELECT pg_catalog.to_char(" + time.local("pg_catalog.lower(gap)") + ", CASE WHEN '" + unit +
        "' OPERATOR(pg_catalog.=) 'month' AND gap OPERATOR(pg_catalog.=) u.span THEN 'YYYYMM' ELSE 'YYYYMMDD' END), " +
        time.text("pg_catalog.lower(gap)") + ", " + time.text("pg_catalog.upper(gap)") + " FROM (SELECT " +
        names.range + "(" + time.value("t") + ", " + time.value("(t OPERATOR(pg_catalog.+) " + step + ")") +
        ") AS span FROM pg_catalog.generate_series(pg_catalog.date_trunc('" + unit + "', " +
        time.local("$2::" + names.type) + "), " + time.local("$3::" + names.type) +
        " OPERATOR(pg_catalog.-) '1 microsecond'::pg_catalog.interval, " + step +
        ") AS t) AS u CROSS JOIN LATERAL pg_catalog.unnest(" + names.multirange + "(u.span) OPERATOR(pg_catalog.-) " +
        partitions_sql(names) + ") AS gap ORDER BY gap";
    return select_rows(sql, {std::to_string(target.oid()), window.start, window.end, zone.name()}, true);
}

// A name that is short enough, however long that of the table is.
std::string name_of_partition(const Target &target, const std::string &label) {
    const std::string suffix = "p" + label;
    return pg_call([oid = target.oid(), text = suffix.c_str()] {
        return quote_qualified_identifier(get_namespace_name(get_rel_namespace(oid)),
                                          makeObjectName(get_rel_name(oid), nullptr, text));
    });
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

std::vector<std::string> find_new_partitions(const Target &target, const Window &window, const TargetColumn &column,
                                             const TimeZone &zone, CreatePartitions size) {
    if (!has_day(column.type) || find_default(target, column).empty())
        raise(sqlstate::wrong_object_type,
              "create_partitions needs a target that is partitioned by RANGE (" + column.name + ")",
              "Leave create_partitions out, or partition the target by window_column alone.",
              "Target " + target.name() + " is not.");
    std::vector<std::string> statements;
    for (const TextRow &gap : find_gaps_of_units(target, window_of_column(window, column.type, zone, column.name), zone,
                                                 size == CreatePartitions::day ? "day" : "month")) {
        const std::string name = name_of_partition(target, *gap[0]);
        // ATTACH keeps nobody from reading and writing the other partitions. It creates the indexes.
        statements.push_back("CREATE TABLE " + name + " (LIKE " + target.name() +
                             " INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS INCLUDING STORAGE "
                             "INCLUDING COMPRESSION)");
        statements.push_back("ALTER TABLE " + target.name() + " ATTACH PARTITION " + name + " FOR VALUES FROM ('" +
                             *gap[1] + "') TO ('" + *gap[2] + "')");
    }
    return statements;
}

} // namespace pgci
