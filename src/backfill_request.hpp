// What a backfill is asked to do.
#pragma once

#include "copy_request.hpp"
#include "day_range.hpp"
#include "ledger.hpp"

namespace pgci {

struct BackfillRequest {
    CopyRequest copy; // its day is the first one
    DayRange days;
    int jobs = 1; // days at once
    Reprocess reprocess = Reprocess::missing;
};

} // namespace pgci
