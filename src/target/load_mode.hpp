// The SQL statements of each mode.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "request/option_list.hpp"
#include "target/batch_relation.hpp"
#include "target/conflict_key.hpp"
#include "target/target.hpp"

namespace pgci {

// The statements of a run. `insert` is executed once for each batch.
struct LoadStatements {
    std::string remove; // DELETE of the slice; empty if the mode does not delete
    std::string left;   // counts the rows of the slice after the DELETE
    std::string insert;
    // Returns the row of the batch that is stored as the row whose text is $1, as text; empty if rows are stored
    // unchanged or the batch is not the rows of the source.
    std::string came;
    std::string key{};               // names of the key columns, for messages
    bool checks_slice = false;       // refuses rows that are stored outside of the slice
    bool checks_key = false;         // refuses rows with NULL in the key
    Oid batch_function = InvalidOid; // from which `insert` reads the batch
    // If it checks, `insert` returns for each row: its text if it is stored outside of the slice, else NULL, and whether
    // its key has a NULL.
    bool returns_checks() const { return checks_slice || checks_key; }
};

// Builds the statements. `key` is for skip and upsert, `slice` is the condition of the rows that may be written; in mode
// replace empty means the whole target, in other modes no condition.
LoadStatements build_statements(Mode mode, const Target &target, const BatchRelation &batch,
                                const std::optional<ConflictKey> &key, const std::string &slice);

} // namespace pgci
