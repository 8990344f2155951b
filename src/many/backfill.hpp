// The use case: many days, each in a transaction of its own.
#pragma once

#include "template/window.hpp"
#include "request/copy_request.hpp"
#include "ledger/ledger.hpp"
#include "many/portable_call.hpp"

namespace pgci {

// What a backfill is asked to do.
struct BackfillRequest {
    CopyRequest copy; // its day is the first one
    DayRange days;
    PortableCall call{}; // for background workers, which read the arguments once more
};

// Copies the days that are to be copied. A day that fails leaves its error in the ledger and stops no other; at the end
// they are raised as one error that names them. Called where a procedure may commit.
void backfill(const BackfillRequest &request);

} // namespace pgci
