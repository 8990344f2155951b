// The SQL statements of each mode.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "request/option_list.hpp"
#include "target/batch_relation.hpp"
#include "target/conflict_key.hpp"
#include "target/target.hpp"
#include "target/upsert.hpp"

namespace pgci {

// The statements of a run. For each batch, `merge` is executed, or `insert`.
struct LoadStatements {
    std::string remove; // DELETE of the slice; empty if the mode does not delete
    std::string left;   // counts the rows of the slice after the DELETE
    std::string insert;
    // Mode upsert: does the same as `insert`, except for rows whose key another session inserts concurrently. Empty if the
    // target cannot be merged into.
    std::string merge{};
    std::vector<OrderColumn>
        order{};                 // mode upsert: how to order the rows of a batch in memory; empty: `insert` orders them
    std::vector<Oid> arbiters{}; // mode upsert: the unique indexes of the key
    bool queues_triggers = true; // `merge` may queue triggers, or note that triggers of the statement have fired
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
    // Makes `insert` return a row for each row. Citus then has its workers execute the INSERT, instead of a COPY whose errors
    // have no SQLSTATE.
    void return_rows();
};

// Builds the statements. `key` is for skip and upsert, `slice` is the condition of the rows that may be written; in mode
// replace empty means the whole target, in other modes no condition. `upsert` is for mode upsert. Does not build `merge`.
LoadStatements build_statements(Mode mode, const Target &target, const BatchRelation &batch,
                                const std::optional<ConflictKey> &key, const std::string &slice,
                                const Upsert *upsert = nullptr);

} // namespace pgci
