// copy_incremental_repair(): repairs the windows of a job on a range of days.
#pragma once

#include <functional>
#include <string>

#include "server/text_rows.hpp"
#include "template/window.hpp"
#include "request/copy_request.hpp"

namespace pgci {

// Repairs the windows that overlap the days, in order, or the whole result of a job without windows and days, in the transaction of the caller, and passes a row for each to the sink:
// day, data_interval, and the numbers of rows inserted, updated, deleted and compared. Raises what Jobs::find, repair_of and
// repair_window raise; 22023 for more windows than a call takes.
void repair_windows(Oid schema, const std::string &job, const std::optional<DayRange> &days, Deletes deletes,
                    const std::function<void(const TextRow &)> &sink);

} // namespace pgci
