// The windows of a job: its grid, and those on a range of days.
#pragma once

#include <vector>

#include "server/text_rows.hpp"
#include "ledger/jobs.hpp"

namespace pgci {

// The most windows that a call takes.
constexpr std::size_t most_windows_of_days = 100000;

// Returns the time from the start of the first day to the end of the last one, in the time zone of the job.
TimeSpan span_of_days(const Job &job, const DayRange &days);

// Returns the windows that overlap the days, in order. Raises 22023 if there are more than a call takes.
std::vector<TimeSpan> windows_of_days(const Job &job, const DayRange &days);

// The same, or the whole result of a job without windows, for which no days are given. Raises 22004 if days are missing.
std::vector<std::optional<TimeSpan>> parts_of_job(const Job &job, const std::optional<DayRange> &days);

// Returns the local day on which a window begins, and the window as a tstzrange, as the columns of a result; NULLs for the whole
// result.
TextRow window_columns(const std::optional<TimeSpan> &window, const TimeZone &zone);

} // namespace pgci
