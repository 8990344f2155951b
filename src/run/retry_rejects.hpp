// The use case of copy_incremental_retry_rejects(): loads the rejected rows of a run that the target accepts now.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Loads the rows in the transaction of the caller, as a run of the same window into the same target, with the options of the run
// that rejected them. Returns the number of rows written. Rows that fail again stay rejected, with their newest error. Raises
// 42704 for a run that does not exist, 42501 for a run of others and missing privileges, 55000 for a run whose window was loaded
// or forgotten since, and what a run raises for the target, except for the errors of a single row.
std::int64_t retry_rejects(Oid schema, std::int64_t run_id);

} // namespace pgci
