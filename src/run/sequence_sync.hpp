// Option sync_sequences: the sequences of identity and serial columns follow the values that a run loads.
#pragma once

#include <string>
#include <vector>

#include "request/copy_request.hpp"
#include "target/missing_privileges.hpp"
#include "target/target.hpp"

namespace pgci {

// Returns the privileges that move_sequences() lacks for these columns. Raises 0A000 if row-level security would hide rows.
MissingPrivileges find_missing_for_sequences(const RequestOptions &options, const Target &target,
                                             const std::vector<std::string> &columns);

// If the request has sync_sequences, moves the sequences that belong to these columns of the target past the largest value of the column, those that descend past
// the smallest, and none back. Other sessions may use the sequences and load into the target at the same time. Values outside of
// the bounds of a sequence do not count. Issues a WARNING for a sequence that has no values left. Call it after the last row of a
// transaction. As with setval(), a rollback does not move them back. Raises 42501.
void move_sequences(const RequestOptions &options, const Target &target, const std::vector<std::string> &columns);

} // namespace pgci
