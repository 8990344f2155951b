// The sequences of identity and serial columns of the target.
#pragma once

#include <string>
#include <vector>

#include "target/target.hpp"

namespace pgci {

// A sequence that belongs to a column of type smallint, integer or bigint, of the target or of a table that it is a partition of.
struct OwnedSequence {
    Oid oid = InvalidOid;
    std::string name; // schema.sequence, each quoted if necessary
    std::string column;
    bool is_ascending = true;
    std::string least; // its bounds
    std::string most;
    bool has_index = false; // an index of the target begins with the column
};

// Returns the sequences of these columns of the target.
std::vector<OwnedSequence> find_owned_sequences(const Target &target, const std::vector<std::string> &columns);

// Returns the value of the column in the target that the sequence would reach last, the largest or, for a descending sequence, the
// smallest; nothing if no value is within its bounds. Sees the rows of this transaction. The user needs SELECT.
std::optional<std::int64_t> last_value_in(const Target &target, const OwnedSequence &sequence);

} // namespace pgci
