#include "target/partition_ranges.hpp"

#include "server/sql_text.hpp"
#include "server/text_rows.hpp"

namespace pgci {

RangeNames range_names_of(Oid type) {
    if (type == DATEOID) return {"pg_catalog.date", "pg_catalog.daterange", "pg_catalog.datemultirange"};
    if (type == INT8OID) return {"pg_catalog.int8", "pg_catalog.int8range", "pg_catalog.int8multirange"};
    if (type == TIMESTAMPOID) return {"pg_catalog.timestamp", "pg_catalog.tsrange", "pg_catalog.tsmultirange"};
    return {"pg_catalog.timestamptz", "pg_catalog.tstzrange", "pg_catalog.tstzmultirange"};
}

bool is_partitioned_by(const std::string &table, const std::string &column) {
    return !select_rows("SELECT 1 FROM pg_catalog.pg_partitioned_table AS p JOIN pg_catalog.pg_attribute AS a ON "
                        "a.attrelid OPERATOR(pg_catalog.=) p.partrelid AND a.attnum OPERATOR(pg_catalog.=) "
                        "p.partattrs[0] WHERE p.partrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND p.partstrat "
                        "OPERATOR(pg_catalog.=) 'r' AND p.partnatts OPERATOR(pg_catalog.=) 1 AND a.attname "
                        "OPERATOR(pg_catalog.=) $2::pg_catalog.name",
                        {table, column}, true)
                .empty();
}

std::vector<Partition> partitions_of(const std::string &table, const RangeNames &names) {
    const auto bound = [&](const char *part) {
        return "CASE WHEN " + std::string(part) + " NOT IN ('MINVALUE', 'MAXVALUE') THEN pg_catalog.btrim(" + part +
               ", '''')::" + names.type + " END";
    };
    const std::vector<TextRow> rows = select_rows(
        "SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind OPERATOR(pg_catalog.=) 'p', CASE "
        "WHEN b.bound IS NOT NULL THEN " +
            names.multirange + "(" + names.range + "(" + bound("b.bound[1]") + ", " + bound("b.bound[2]") +
            ")) END FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) "
            "i.inhrelid JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace CROSS JOIN "
            "LATERAL pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid), 'FROM \\((.*)\\) TO "
            "\\((.*)\\)$') AS b(bound) WHERE i.inhparent OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND NOT "
            "i.inhdetachpending ORDER BY c.relname, c.oid",
        {table}, true);
    std::vector<Partition> partitions;
    partitions.reserve(rows.size());
    for (const TextRow &row : rows)
        partitions.push_back({.oid = row[0].value_or("0"),
                              .name = row[1].value_or(""),
                              .values = row[3],
                              .is_partitioned = row[2] == "t"});
    return partitions;
}

std::string values_of(const std::vector<Partition> &partitions) {
    std::vector<std::string> values;
    for (const Partition &partition : partitions)
        if (partition.values) values.push_back(*partition.values);
    return array_literal(values);
}

} // namespace pgci
