// The SQL that reads the rows of a batch: the batch itself, or a transformation of it.
#pragma once

#include <string>
#include <vector>

#include "server/pg.hpp"
#include "target/column_map.hpp"

namespace pgci {

// Parts of SQL statements.
struct BatchRelation {
    // The type of a column's values. `typmod` is the modifier that they are known to have.
    struct ValueType {
        Oid type = InvalidOid;
        int typmod = -1;
    };

    std::vector<std::string> columns{}; // the columns to insert into the target
    std::vector<ValueType> types{};     // of these columns
    std::string with{};                 // "batch AS (...)", or empty
    std::string from{};                 // the FROM item with its alias
    std::string alias{};
    std::string ordinal{};     // a column name that none of the columns has
    Oid function = InvalidOid; // returns the rows of the batch
    bool overrides_identity = false;
    bool changes_values = false; // the batch is the rows of the source, and the INSERT rounds some of their values

    // Returns a query of the rows.
    std::string select() const { return with_list() + "SELECT * FROM " + from; }
    // Returns "alias.column, ...".
    std::string select_list() const;
    // Returns the WITH clause, or nothing.
    std::string with_list() const { return with.empty() ? "" : "WITH " + with + " "; }
};

// Returns the batch as it comes from the source, whose columns are `source`. `schema` is the schema of the extension.
BatchRelation plain_batch(const ColumnMap &map, const std::vector<SourceColumn> &source, const Target &target,
                          Oid schema);

// Raises 42601 unless the transform is one SELECT.
void check_transform(const std::string &transform);

// Returns the result columns of a checked transform.
std::vector<SourceColumn> describe_transform(const std::string &transform, const ColumnMap &batch_columns, Oid schema);

// Returns the result of `transform`, a checked SELECT from the relation "batch", mapped to the target by column name.
// Error positions refer to the text of the transform.
BatchRelation transformed_batch(const std::string &transform, const ColumnMap &batch_columns, const Target &target,
                                Oid schema);

} // namespace pgci
