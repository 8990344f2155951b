// The windows of a job: its grid, and those that a call names.
#pragma once

#include <vector>

#include "server/text_rows.hpp"
#include "ledger/jobs.hpp"

namespace pgci {

// The most windows that a call takes.
constexpr std::size_t most_windows_of_call = 100000;

// What a call names: days, or ids, or neither.
struct NamedWindows {
    std::optional<DayRange> days{};
    std::optional<Span> ids{};
};

// Reads the arguments first_day, last_day and ids. Raises 22004 if one of the days is missing, 22023 for days and ids.
NamedWindows read_named_windows(const NamedValues &arguments);

// Raises 22023 if the windows of the job are not of this kind.
void check_kind(const Job &job, WindowKind kind);

// Returns the span of these days, in the time zone of the job, or of these ids. Raises 22004 if neither is named, and what
// check_kind raises.
Span span_of(const Job &job, const NamedWindows &named);

// Returns the windows that overlap the days, or parts of windows that the ids have, in order. Raises 22023 if there are more than
// a call takes.
std::vector<Span> windows_of(const Job &job, const NamedWindows &named);

// The same, or the whole result of a job without windows, for which nothing is named. Raises 22004 if something is missing.
std::vector<std::optional<Span>> parts_of_job(const Job &job, const NamedWindows &named);

// Returns the columns of a result that name a window: the local day on which it begins, its tstzrange and its int8range; NULLs for
// the whole result.
TextRow window_columns(WindowKind kind, const std::optional<Span> &window, const TimeZone &zone);

} // namespace pgci
