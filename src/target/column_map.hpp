// Maps source columns to target columns and decides the format in which each is transferred.
#pragma once

#include <string>
#include <vector>

#include "target/target.hpp"

namespace pgci {

// Smaller OIDs are assigned manually in PostgreSQL's source code and have the same meaning in every server.
constexpr Oid first_unstable_oid = FirstGenbkiObjectId;

// Returns whether both servers have this type with the same binary format. PostgreSQL code.
bool has_common_binary_form(Oid type);

// A column of a batch. It has the same name at the source, in the batch and in the target.
struct MappedColumn {
    std::string name;
    Oid source_type = InvalidOid;
    bool as_text = false;        // transferred as text, for the batch type's input function
    Oid batch_type = InvalidOid; // the source's type, or the target's base type for a text column
    int batch_typmod = -1;

    bool operator==(const MappedColumn &) const = default;
};

struct ColumnMap {
    std::vector<MappedColumn> columns{};
    bool all_binary_in_order = true; // the query's result can be fetched unchanged

    bool operator==(const ColumnMap &) const = default;
};

// Returns the columns to insert into the target, by name, without those that are left out or that the target generates. Other target columns
// get their defaults. `what` (the query, the transform) is the origin of the columns in messages. Raises 42701 for two
// columns with the same name, 42804 for one that the target does not have.
std::vector<SourceColumn> map_by_name(const std::vector<SourceColumn> &columns, const Target &target, const char *what);

// Returns the target's columns in which a new row with only these columns has NULL. None of a view: the columns of its
// tables are unknown here.
std::vector<std::string> find_left_null(const Target &target, const std::vector<std::string> &filled);

// Decides how the columns of the query are transferred into columns of the target.
ColumnMap carry_to_target(const std::vector<SourceColumn> &columns, const Target &target);

// Decides how the columns are transferred into the batch of a transform: with the source's types, or as text if the
// servers have no common type. Raises 42701 for two columns with the same name.
ColumnMap carry_to_transform(const std::vector<SourceColumn> &columns);

} // namespace pgci
