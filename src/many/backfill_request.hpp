// What a backfill is asked to do.
#pragma once

#include "template/day_range.hpp"
#include "request/copy_request.hpp"
#include "ledger/ledger.hpp"
#include "many/portable_call.hpp"

namespace pgci {

struct BackfillRequest {
    CopyRequest copy; // its day is the first one
    DayRange days;
    PortableCall call{}; // for background workers, which read the arguments once more
};

} // namespace pgci
