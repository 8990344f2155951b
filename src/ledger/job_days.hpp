// The windows of a job on a range of days.
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

// Returns the local day on which a window begins, and the window as a tstzrange, as the columns of a result.
TextRow window_columns(TimeSpan window, const TimeZone &zone);

} // namespace pgci
