#include "target/partition_gaps.hpp"

#include "server/sql_text.hpp"
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

struct Partition {
    std::string oid;
    std::string name;
    std::optional<std::string> values{}; // a multirange; nothing for the default partition
    bool is_partitioned = false;
};

// Parts of the column's values are multiranges, as texts.
class PartitionGaps {
  public:
    PartitionGaps(std::string column, Oid type) : column_(std::move(column)), names_(names_of(type)) {}

    std::string part_of(const ColumnWindow &window) const {
        return calculate(names_.multirange + "(" + names_.range + "($1::" + names_.type + ", $2::" + names_.type + "))",
                         {window.start, window.end});
    }
    // Warns of the part that the partition itself, or a partition that it is in, does not have. Returns the rest.
    std::string look_above(const std::string &partition, std::string part);
    // Warns of the part that the partitions of a table do not have.
    void look_below(const std::string &table, const std::string &name, const std::string &part);
    std::vector<std::string> take() { return std::move(warnings_); }

  private:
    static std::string calculate(const std::string &expression, const std::vector<std::string> &parameters) {
        return select_rows("SELECT (" + expression + ")::pg_catalog.text", parameters)[0][0].value_or("");
    }
    std::string intersect(const std::string &a, const std::string &b) const {
        return calculate("$1::" + names_.multirange + " OPERATOR(pg_catalog.*) $2::" + names_.multirange, {a, b});
    }
    std::string subtract(const std::string &part, const std::vector<Partition> &partitions) const;
    std::string shown(const std::string &part) const;
    bool is_by_column(const std::string &table) const;
    std::vector<Partition> partitions_of(const std::string &table) const;

    std::string column_;
    RangeNames names_;
    std::vector<std::string> warnings_{};
};

constexpr const char *nothing = "{}";

// What none of the partitions has.
std::string PartitionGaps::subtract(const std::string &part, const std::vector<Partition> &partitions) const {
    std::vector<std::string> values;
    for (const Partition &partition : partitions)
        if (partition.values) values.push_back(*partition.values);
    return calculate("$1::" + names_.multirange +
                         " OPERATOR(pg_catalog.-) coalesce((SELECT pg_catalog.range_agg(r) FROM "
                         "pg_catalog.unnest($2::" +
                         names_.multirange + "[]) AS m, pg_catalog.unnest(m) AS r), '{}')",
                     {part, array_literal(values)});
}

// "[2018-07-29, 2018-07-30), [2018-08-01, 2018-08-02)"
std::string PartitionGaps::shown(const std::string &part) const {
    return calculate("SELECT pg_catalog.string_agg(pg_catalog.format('[%s, %s)', pg_catalog.lower(r), "
                     "pg_catalog.upper(r)), ', ' ORDER BY r) FROM pg_catalog.unnest($1::" +
                         names_.multirange + ") AS r",
                     {part});
}

// Whether the column is the whole key of a table that is partitioned by RANGE.
bool PartitionGaps::is_by_column(const std::string &table) const {
    return !select_rows("SELECT 1 FROM pg_catalog.pg_partitioned_table AS p JOIN pg_catalog.pg_attribute AS a ON "
                        "a.attrelid OPERATOR(pg_catalog.=) p.partrelid AND a.attnum OPERATOR(pg_catalog.=) "
                        "p.partattrs[0] WHERE p.partrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND p.partstrat "
                        "OPERATOR(pg_catalog.=) 'r' AND p.partnatts OPERATOR(pg_catalog.=) 1 AND a.attname "
                        "OPERATOR(pg_catalog.=) $2::pg_catalog.name",
                        {table, column_})
                .empty();
}

// The partitions of a table by this column, without those that are being detached, which take no more rows.
std::vector<Partition> PartitionGaps::partitions_of(const std::string &table) const {
    const auto bound = [this](const char *part) {
        return "CASE WHEN " + std::string(part) + " NOT IN ('MINVALUE', 'MAXVALUE') THEN pg_catalog.btrim(" + part +
               ", '''')::" + names_.type + " END";
    };
    const std::vector<TextRow> rows = select_rows(
        "SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind OPERATOR(pg_catalog.=) 'p', CASE "
        "WHEN b.bound IS NOT NULL THEN " +
            names_.multirange + "(" + names_.range + "(" + bound("b.bound[1]") + ", " + bound("b.bound[2]") +
            ")) END FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) "
            "i.inhrelid JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace CROSS JOIN "
            "LATERAL pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid), 'FROM \\((.*)\\) TO "
            "\\((.*)\\)$') AS b(bound) WHERE i.inhparent OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND NOT "
            "i.inhdetachpending ORDER BY c.relname, c.oid",
        {table});
    std::vector<Partition> partitions;
    partitions.reserve(rows.size());
    for (const TextRow &row : rows)
        partitions.push_back({.oid = row[0].value_or("0"),
                              .name = row[1].value_or(""),
                              .values = row[3],
                              .is_partitioned = row[2] == "t"});
    return partitions;
}

std::string PartitionGaps::look_above(const std::string &partition, std::string part) {
    const std::vector<TextRow> parents = select_rows(
        "SELECT i.inhparent FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid "
        "OPERATOR(pg_catalog.=) i.inhrelid WHERE c.oid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND c.relispartition",
        {partition});
    if (parents.empty()) return part;
    const std::string parent = parents[0][0].value_or("0");
    if (is_by_column(parent)) {
        const std::vector<Partition> partitions = partitions_of(parent);
        const auto own = std::find_if(partitions.begin(), partitions.end(),
                                      [&](const Partition &each) { return each.oid == partition; });
        if (own != partitions.end()) {
            // The default partition has what the others have not.
            const std::string taken = own->values ? intersect(part, *own->values) : subtract(part, partitions);
            const std::string refused = subtract(part, {{.oid = "", .name = "", .values = taken}});
            if (refused != nothing)
                warnings_.push_back("partition " + own->name + " does not take rows of " + shown(refused));
            part = taken;
        }
    }
    return look_above(parent, std::move(part));
}

void PartitionGaps::look_below(const std::string &table, const std::string &name, const std::string &part) {
    if (part == nothing || !is_by_column(table)) return;
    const std::vector<Partition> partitions = partitions_of(table);
    const std::string gap = subtract(part, partitions);
    bool has_default = false;
    for (const Partition &partition : partitions) {
        has_default = has_default || !partition.values;
        if (!partition.values && gap != nothing)
            warnings_.push_back("rows of " + shown(gap) + " go into the default partition " + partition.name);
        if (partition.is_partitioned)
            look_below(partition.oid, partition.name, partition.values ? intersect(part, *partition.values) : gap);
    }
    if (has_default || gap == nothing) return;
    warnings_.push_back("no partition of " + name + " takes rows of " + shown(gap));
}

} // namespace

std::vector<std::string> find_partition_warnings(const Target &target, const Window &window, const TargetColumn &column,
                                                 const TimeZone &zone) {
    const ColumnWindow values = window_of_column(window, column.type, zone, column.name);
    PartitionGaps gaps(column.name, values.type);
    const std::string relation = std::to_string(target.oid());
    gaps.look_below(relation, target.name(), gaps.look_above(relation, gaps.part_of(values)));
    return gaps.take();
}

} // namespace pgci
