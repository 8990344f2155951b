#include "target/partition_gaps.hpp"

#include "server/text_rows.hpp"
#include "template/column_window.hpp"
#include "target/partition_ranges.hpp"

namespace pgci {

namespace {

// Parts of the column's values are multiranges, as texts.
class PartitionGaps {
  public:
    PartitionGaps(std::string column, Oid type) : column_(std::move(column)), names_(range_names_of(type)) {}

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

    std::string column_;
    RangeNames names_;
    std::vector<std::string> warnings_{};
};

constexpr const char *nothing = "{}";

// What none of the partitions has.
std::string PartitionGaps::subtract(const std::string &part, const std::vector<Partition> &partitions) const {
    return calculate("$1::" + names_.multirange +
                         " OPERATOR(pg_catalog.-) coalesce((SELECT pg_catalog.range_agg(r) FROM "
                         "pg_catalog.unnest($2::" +
                         names_.multirange + "[]) AS m, pg_catalog.unnest(m) AS r), '{}')",
                     {part, values_of(partitions)});
}

// "[2018-07-29, 2018-07-30), [2018-08-01, 2018-08-02)"
std::string PartitionGaps::shown(const std::string &part) const {
    return calculate("SELECT pg_catalog.string_agg(pg_catalog.format('[%s, %s)', pg_catalog.lower(r), "
                     "pg_catalog.upper(r)), ', ' ORDER BY r) FROM pg_catalog.unnest($1::" +
                         names_.multirange + ") AS r",
                     {part});
}

std::string PartitionGaps::look_above(const std::string &partition, std::string part) {
    const std::vector<TextRow> parents = select_rows(
        "SELECT i.inhparent FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid "
        "OPERATOR(pg_catalog.=) i.inhrelid WHERE c.oid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND c.relispartition",
        {partition});
    if (parents.empty()) return part;
    const std::string parent = parents[0][0].value_or("0");
    if (is_partitioned_by(parent, column_)) {
        const std::vector<Partition> partitions = partitions_of(parent, names_);
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
    if (part == nothing || !is_partitioned_by(table, column_)) return;
    const std::vector<Partition> partitions = partitions_of(table, names_);
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
