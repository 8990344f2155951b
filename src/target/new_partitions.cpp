#include "target/new_partitions.hpp"

#include "server/guard.hpp"
#include "server/text_rows.hpp"
#include "template/column_window.hpp"
#include "target/partition_ranges.hpp"

namespace pgci {

namespace {

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
    const RangeNames names = range_names_of(window.type);
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
        "coalesce((SELECT pg_catalog.range_agg(r) FROM pg_catalog.unnest($1::" + names.multirange +
        "[]) AS m, pg_catalog.unnest(m) AS r), '{}')) AS gap ORDER BY gap";
    return select_rows(
        sql, {values_of(partitions_of(std::to_string(target.oid()), names)), window.start, window.end, zone.name()},
        true);
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

std::vector<std::string> find_new_partitions(const Target &target, const Window &window, const TargetColumn &column,
                                             const TimeZone &zone, CreatePartitions size) {
    if (!has_day(column.type) || !is_partitioned_by(std::to_string(target.oid()), column.name))
        raise(sqlstate::wrong_object_type,
              "create_partitions needs a target that is partitioned by RANGE (" + column.name + ")",
              "Leave create_partitions out, or partition the target by window_column alone.",
              "Target " + target.name() + " is not.");
    // A partition belongs to the owner of the table, whoever creates it.
    const std::vector<TextRow> owner = select_rows(
        "SELECT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) FROM pg_catalog.pg_class AS c WHERE "
        "c.oid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND pg_catalog.pg_get_userbyid(c.relowner) "
        "OPERATOR(pg_catalog.<>) CURRENT_USER",
        {std::to_string(target.oid())}, true);
    std::vector<std::string> statements;
    for (const TextRow &gap : find_gaps_of_units(target, window_of_column(window, column.type, zone, column.name), zone,
                                                 size == CreatePartitions::day ? "day" : "month")) {
        const std::string name = name_of_partition(target, *gap[0]);
        // ATTACH keeps nobody from reading and writing the other partitions. It creates the indexes.
        statements.push_back("CREATE TABLE " + name + " (LIKE " + target.name() +
                             " INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS INCLUDING STORAGE "
                             "INCLUDING COMPRESSION)");
        if (!owner.empty()) statements.push_back("ALTER TABLE " + name + " OWNER TO " + *owner[0][0]);
        statements.push_back("ALTER TABLE " + target.name() + " ATTACH PARTITION " + name + " FOR VALUES FROM ('" +
                             *gap[1] + "') TO ('" + *gap[2] + "')");
    }
    return statements;
}

} // namespace pgci
