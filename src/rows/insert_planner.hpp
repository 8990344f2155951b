// Changes the plans of the statements that write a batch: they read the batch from memory, and insert many rows at once.
#pragma once

namespace pgci {

// Installs the hooks of the planner. Statements that are planned while no batch is in hand are planned as before.
void install_insert_planner();

} // namespace pgci
