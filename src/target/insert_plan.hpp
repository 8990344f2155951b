// Whether PostgreSQL carries out an INSERT into the target itself.
#pragma once

#include "request/option_list.hpp"
#include "target/target.hpp"

namespace pgci {

// For methods that write rows into the relation without an INSERT. Raises 0A000 where an extension's planner takes INSERTs
// into the target over, as that of Citus does for distributed tables: rows in the relation itself would be in no shard, and
// not be seen. `insert` is an INSERT into the target, which is planned and not run.
void check_inserts_are_local(const Target &target, const std::string &insert, Method method);

} // namespace pgci
