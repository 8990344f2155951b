// One day of many: a transaction of its own, whose failure stops nothing else.
#pragma once

#include "request/copy_request.hpp"
#include "run/run_scope.hpp"
#include "many/backfill_report.hpp"

namespace pgci {

// What each day is asked to do, once the target is found: a day that another call has copied meanwhile is as good.
CopyRequest make_day_request(CopyRequest request, Oid target);

// Who runs the day. A cancel of the session ends its call; a cancel of a worker is the result of the day that it has in
// hand.
enum class DayRunner : bool { session, worker };

// Copies the request's window and commits; on an error nothing of it is written.
DayResult run_day(const CopyRequest &request, const TransactionChain &transactions, DayRunner runner);

} // namespace pgci
