// copy_incremental_forget(): the rows of some days are gone, and their windows count as not loaded.
#pragma once

#include <optional>
#include <string>

#include "server/pg.hpp"

namespace pgci {

// Both are included; nothing is no bound.
struct ForgottenDays {
    std::optional<DateADT> first{};
    std::optional<DateADT> last{};
};

// Marks the runs into `target` of windows within these days as forgotten, and takes the days out of the coverage of its jobs:
// days of the job's time zone, and for calls days of the session's. Without bounds, runs of whole results are forgotten too.
// With the name of a job, only its runs; without one, those of all jobs that the current user may use, and of calls that he
// made. The owners of the target and of the ledger forget all. Returns how many runs. `schema` is the extension's. Raises
// 42704 and 42501 as Jobs::find does, and 22023 for a job that does not load into the target.
std::int64_t forget(Oid schema, Oid target, const ForgottenDays &days, const std::optional<std::string> &job);

} // namespace pgci
