// The use case: many days, each in a transaction of its own.
#pragma once

#include "many/backfill_request.hpp"

namespace pgci {

// Copies the days that are to be copied. A day that fails leaves its error in the ledger and stops no other; at the end
// they are raised as one error that names them. Called where a procedure may commit.
void backfill(const BackfillRequest &request);

} // namespace pgci
