// Which values of a column the partitions of a table take.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/pg.hpp"

namespace pgci {

// The names in pg_catalog of a type of columns, of its range and of its multirange.
struct RangeNames {
    std::string type;
    std::string range;
    std::string multirange;
};

// Returns the names for a column of type date, timestamp or timestamptz, or for bigint.
RangeNames range_names_of(Oid type);

struct Partition {
    std::string oid;
    std::string name;
    std::optional<std::string> values{}; // a multirange; nothing for the default partition
    bool is_partitioned = false;
};

// Returns whether the column is the whole key of a table that is partitioned by RANGE. `table` is an OID.
bool is_partitioned_by(const std::string &table, const std::string &column);

// Returns the partitions of such a table, without those that are being detached, which take no more rows.
std::vector<Partition> partitions_of(const std::string &table, const RangeNames &names);

// Returns the values of all these partitions as an array of multiranges.
std::string values_of(const std::vector<Partition> &partitions);

} // namespace pgci
