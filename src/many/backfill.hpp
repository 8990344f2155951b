// Which windows of a job are loaded by copy_incremental_backfill().
#pragma once

#include <string>

#include "request/option_list.hpp"
#include "template/window.hpp"

namespace pgci {

// Those that are not in the coverage; those whose last run failed; or all.
enum class Reprocess { missing, failed, all };
template <> inline constexpr std::string_view words_of<Reprocess> = "missing, failed, all";

// Loads the windows of a job that have a part of the days. Raises what Jobs::find raises, 22023 for more windows than a call
// loads and for Reprocess::all that would double rows, and what load_windows raises at its end. Called where a procedure may
// commit.
void backfill(Oid schema, const std::string &job, const DayRange &days, int workers, Reprocess reprocess);

} // namespace pgci
