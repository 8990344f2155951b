// The plan of a run: how rows are transferred and written.
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
    std::string insert{};               // method copy: a plain INSERT, which is only analyzed
    std::string slice{};                // the condition of the rows that may be written; empty for none
    std::vector<std::string> columns{}; // of the target that the INSERT fills
    std::string transformed{};          // a query of the rows that the transform returns; empty without one
    bool is_of_other_planner = false;   // an extension executes the INSERT, as Citus does
};

// Maps the columns and builds the statements. `slice` is the condition of the rows that may be written. Raises 42701 or 42804 for
// columns that cannot be mapped, 42P10 if skip or upsert have no key, 0A000 if row-level security would hide a part of
// the slice, or for what the extension that executes the INSERT cannot do.
LoadPlan make_plan(const CopyRequest &request, const std::vector<SourceColumn> &columns, const Target &target,
                   const std::string &slice);

// The number of rows of a batch. If the request has none, an extension that executes the INSERT gets larger ones,
// because it takes each batch apart for its servers; not where a batch is a commit, or is tried again without bad rows.
int batch_of(const CopyRequest &request, const LoadPlan &plan);

// Builds the statements again in a later transaction of the run, because the target may have changed. Keeps the column
// map. Raises the errors of make_plan, and 55000 if the format of a column would have to change.
void replan(LoadPlan &plan, const CopyRequest &request, const std::vector<SourceColumn> &columns, const Target &target,
            const std::string &slice);

// For methods that write rows without an INSERT. Raises 0A000 if the planner of an extension handles INSERTs into the
// target, as Citus does for distributed tables: rows written directly to the relation would be in no shard and not
// visible. `insert` is an INSERT into the target, which is planned but not executed.
void check_inserts_are_local(const Target &target, const std::string &insert, Method method);

} // namespace pgci
