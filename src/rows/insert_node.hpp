// The plan node on top of the INSERT of a run. It inserts many rows at once, as COPY does, where nothing but the speed
// differs from the executor's own INSERT.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Whether the rows of the query may be inserted later than they are computed. False if the query calls a volatile
// function, which could read the target; nextval() and `batch_function` cannot. PostgreSQL code.
bool can_delay_inserts(Query *query, Oid batch_function);

// Puts the node on top of the statement's INSERT. PostgreSQL code. If the INSERT returns checks (see LoadStatements), the
// node gives them to the batch in hand, and the statement returns nothing. Without `can_delay`, the executor inserts row
// by row. Does nothing if the plan is no INSERT, or returns something else.
void add_insert_node(PlannedStmt *statement, bool can_delay);

// Whether the node is one of add_insert_node().
bool is_insert_node(const CustomScan *node) noexcept;

} // namespace pgci
