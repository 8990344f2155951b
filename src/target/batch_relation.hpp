// How the rows of a batch are read in SQL: the batch itself, or a transformation of it.
#pragma once

#include <string>
#include <vector>

#include "server/pg.hpp"
#include "target/column_map.hpp"

namespace pgci {

// Texts to build statements from.
struct BatchRelation {
    std::vector<std::string> columns{}; // those that go into the target
    std::string with{};                 // "batch AS (...)", or empty
    std::string from{};                 // the FROM item, with its alias
    std::string alias{};
    std::string ordinal{}; // a column name that none of them has
    bool overrides_identity = false;

    // alias.column, ...
    std::string select_list() const;
    // The WITH clause before a statement, or its beginning where another entry follows.
    std::string with_list(bool more_follow) const;
};

// The batch as it comes from the source. `schema` is the extension's.
BatchRelation plain_batch(const ColumnMap &map, const Target &target, Oid schema);

// Raises 42601 for a transform that is anything but one SELECT.
void check_transform(const std::string &transform);

// The result columns of a checked transform.
std::vector<SourceColumn> describe_transform(const std::string &transform, const ColumnMap &batch_columns, Oid schema);

// The result of `transform`, a checked SELECT that reads the relation "batch", mapped to the target by name. Errors of
// its analysis point into its text.
BatchRelation transformed_batch(const std::string &transform, const ColumnMap &batch_columns, const Target &target,
                                Oid schema);

} // namespace pgci
