// copy_incremental_repair(): repairs the windows of a job on a range of days or ids.
#pragma once

#include <functional>
#include <string>

#include "server/text_rows.hpp"
#include "ledger/job_windows.hpp"
#include "request/copy_request.hpp"

namespace pgci {

// Repairs the windows that overlap the days or ids, in order, or the whole result of a job without windows, days and ids, in the transaction of the caller, and passes a row for each to the sink:
// day, data_interval, id_range, and the numbers of rows inserted, updated, deleted and compared. Raises what Jobs::find, repair_of and
// repair_window raise; 22023 for more windows than a call takes.
void repair_windows(Oid schema, const std::string &job, const NamedWindows &named, Deletes deletes,
                    const std::function<void(const TextRow &)> &sink);

} // namespace pgci
