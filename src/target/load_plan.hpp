// How the rows of a run travel and are written.
#pragma once

#include "request/copy_request.hpp"
#include "target/column_map.hpp"
#include "target/load_mode.hpp"

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

} // namespace pgci
