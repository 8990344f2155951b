// Which source column goes into which target column, and how it travels.
#pragma once

#include <string>
#include <vector>

#include "target/target.hpp"

namespace pgci {

// OIDs below this are assigned by hand in PostgreSQL's source and mean the same in every server.
constexpr Oid first_unstable_oid = FirstGenbkiObjectId;

// Do both servers have this very type, with a binary form? PostgreSQL code.
bool has_common_binary_form(Oid type);

// A column of a batch: same name at the source, in the batch and in the target.
struct MappedColumn {
    std::string name;
    Oid source_type = InvalidOid;
    bool as_text = false;        // the source sends text, which the batch type's input function reads
    Oid batch_type = InvalidOid; // the source's type, or the target's base type for a column that travels as text
    int batch_typmod = -1;

    bool operator==(const MappedColumn &) const = default;
};

struct ColumnMap {
    std::vector<MappedColumn> columns{};
    bool all_binary_in_order = true; // the query's result can be fetched as it is

    bool operator==(const ColumnMap &) const = default;
};

// The columns that go into the target, by name, without those that the target generates; other target columns take
// their defaults. `what` (the query, the transform) is what messages call the columns' origin. Raises 42701 for two
// columns of one name, 42804 for one that the target lacks.
std::vector<SourceColumn> map_by_name(const std::vector<SourceColumn> &columns, const Target &target, const char *what);

// How the columns of the query travel into columns of the target.
ColumnMap carry_to_target(const std::vector<SourceColumn> &columns, const Target &target);

// How they travel into a batch that a transform reads: with the source's types, or as text where the servers have no
// common one. Raises 42701 for two columns of one name.
ColumnMap carry_to_transform(const std::vector<SourceColumn> &columns);

} // namespace pgci
