// Which source column goes into which target column, and how it travels.
#pragma once

#include <string>
#include <vector>

#include "target.hpp"

namespace pgci {

// A column of a batch: same name at the source, in the batch and in the target.
struct MappedColumn {
    std::string name;
    Oid source_type = InvalidOid;
    bool as_text = false;        // the source sends text, which the batch type's input function reads
    Oid batch_type = InvalidOid; // the source's type, or the target's base type for a column that travels as text
    int batch_typmod = -1;
};

struct ColumnMap {
    std::vector<MappedColumn> columns{};
    bool all_binary_in_order = true; // the query's result can be fetched as it is
    bool overrides_identity = false;
};

// Maps by name. Generated columns of the target are left out, other target columns without a source column take their
// defaults. Raises 42701 for two source columns of one name, 42804 for a source column that the target lacks.
ColumnMap map_columns(const std::vector<SourceColumn> &source, const Target &target);

} // namespace pgci
