// A target whose INSERTs the planner of another extension handles, as Citus does for tables that it distributes over servers.
#pragma once

#include <string>

#include "request/option_list.hpp"
#include "target/target.hpp"

namespace pgci {

// Tells which planner is that of this library, and whether there was another before it. To be called once, when it is installed.
void note_planner(planner_hook_type planner, planner_hook_type previous);

// Whether this database has Citus.
bool has_citus();

// Returns the relations that a query reads, as the text of an array of OIDs.
std::string find_read_relations(const std::string &query);

// Whether the query reads a table that Citus has distributed, or knows.
bool reads_citus_table(const std::string &query);

// Whether the plan of this INSERT is not the server's own. The INSERT is planned but not executed, unless the server has no other
// planner. Raises the errors of the analyzer and of the planner.
bool is_planned_by_other(const Target &target, const std::string &insert);

// Raises 0A000 where such a target cannot be loaded: on a worker of Citus, because each node has a ledger of its own; in modes
// that update, delete or look for keys, if its access method is that of columnar storage.
void check_other_planner(const Target &target, Mode mode);

} // namespace pgci
