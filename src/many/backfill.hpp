// copy_incremental_backfill(): loads the windows of a job for a range of days or ids.
#pragma once

#include <string>

#include "request/option_list.hpp"
#include "ledger/job_windows.hpp"

namespace pgci {

// Which windows to load: those that are not in the coverage, those whose last run failed, or all; or to repair all.
enum class Reprocess { missing, failed, all, different };
template <> inline constexpr std::string_view words_of<Reprocess> = "missing, failed, all, different";

// Loads the windows of a job that overlap the days or ids. Raises what Jobs::find raises; 22023 for more windows than a call loads,
// and for Reprocess::all if it would duplicate rows; and what load_windows raises at its end. Call it in a procedure that can
// commit.
void backfill(Oid schema, const std::string &job, const NamedWindows &named, int workers, Reprocess reprocess);

} // namespace pgci
