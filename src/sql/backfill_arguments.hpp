// The arguments of copy_incremental_backfill(), checked before anything connects.
#pragma once

#include "many/backfill_request.hpp"

namespace pgci {

// The arguments of copy_incremental_backfill(). Raises what read_copy_arguments and DayRange raise, and 22023 for
// reprocess => 'all' that would double days.
BackfillRequest read_backfill_arguments(FunctionCallInfo fcinfo);

} // namespace pgci
