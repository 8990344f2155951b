// The table that is written through a target that is a view.
#pragma once

#include "target/target.hpp"

namespace pgci {

// Mode replace and repairs delete only what the user sees, so a row that is inserted must stay visible. Raises 0A000 if row-level
// security of the table may hide it from the user, or if a view on the way has a condition and no check option. Of a view that
// writes by triggers or rules, it is not known. `what` is the use in messages, as "mode replace".
void check_hides_no_rows(const Target &target, const char *what);

// Returns whether the target is a view that has a condition, and whose triggers or rules write the rows.
bool is_filter_written_by_triggers(const Target &target);

// Returns whether the table, or a partition of it, is a foreign table.
bool writes_foreign_table(const Target &target);

} // namespace pgci
