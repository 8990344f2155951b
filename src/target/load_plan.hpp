// How the rows of a run travel and are written.
#pragma once

#include "request/copy_request.hpp"
#include "request/option_list.hpp"
#include "target/column_map.hpp"
#include "target/load_mode.hpp"
#include "target/target.hpp"

namespace pgci {

struct LoadPlan {
    ColumnMap map;
    LoadStatements statements;
    std::string insert{}; // methods bulk and copy: the plain INSERT, which is not run
    std::string slice{};  // mode replace: the condition
};

// Maps the columns and builds the statements. `slice` is the condition of mode replace. Raises 42701, 42804 for columns
// that do not fit, 42P10 without a key for skip and upsert, 0A000 where row security would hide a part of the slice.
LoadPlan make_plan(const CopyRequest &request, const std::vector<SourceColumn> &columns, const Target &target,
                   const std::string &slice);

// Plans again for a target that may have changed since, in a later transaction of the run. The map stays. Raises what make_plan
// raises, and 55000 where the rows would have to travel in another way.
void replan(LoadPlan &plan, const CopyRequest &request, const std::vector<SourceColumn> &columns, const Target &target,
            const std::string &slice);

// For methods that write rows into the relation without an INSERT. Raises 0A000 where an extension's planner takes INSERTs
// into the target over, as that of Citus does for distributed tables: rows in the relation itself would be in no shard, and
// not be seen. `insert` is an INSERT into the target, which is planned and not run.
void check_inserts_are_local(const Target &target, const std::string &insert, Method method);

} // namespace pgci
