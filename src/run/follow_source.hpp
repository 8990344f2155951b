// What a run does about columns that the source has and the target does not, or not as wide: the option on_new_column.
#pragma once

#include "request/copy_request.hpp"
#include "source/source_session.hpp"
#include "target/target_change.hpp"

namespace pgci {

// Returns the change of the target that a run makes before it writes; empty unless on_new_column is add.
TargetChange find_change(const CopyRequest &request, SourceSession &source, const SourceQuery &query,
                         const std::vector<SourceColumn> &columns, const Target &target);

// Changes the target, with a NOTICE. Raises what check_change raises, and 55P03.
void change_target(const CopyRequest &request, const TargetChange &change, const Target &target);

// Marks the columns that the target does not have and that the run leaves out; none if on_new_column is error. Raises 42703 for a
// column that the last run of the job has written.
void mark_left_out(const CopyRequest &request, std::vector<SourceColumn> &columns, const Target &target);

// Returns the names of the marked columns.
std::vector<std::string> left_out(const std::vector<SourceColumn> &columns);

// Raises 42804 if the type of a column has changed since the last run of the job, and the column of the target does not have all its
// values. The hint has the ALTER TABLE. Columns that the run widens are left to it.
void check_known_types(const CopyRequest &request, const std::vector<SourceColumn> &columns, const Target &target);

} // namespace pgci
