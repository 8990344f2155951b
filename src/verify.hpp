// copy_incremental_verify(): are the rows of a window at the source those in the target?
#pragma once

#include "comparison.hpp"
#include "copy_request.hpp"

namespace pgci {

// What is compared with what. `window` is null for a whole result. The target's rows are those of `slice`; without one,
// those that the query itself finds in the target, or all of them where there is no window. Raises 0A000 where that is
// not clear, 42804 for columns that do not match, 42703 for key columns that are not there.
Comparison make_comparison(SourceSession &source, const SourceQuery &query, const std::vector<SourceColumn> &columns,
                           const Target &target, const std::string &slice, const WindowText *window,
                           const std::vector<std::string> &key, const TimeZone &zone);

// One row: matches, source_rows, target_rows, missing, extra, changed. Rows are told apart by key_columns, else by the
// primary key; without either, changed is NULL, and a changed row is one missing and one extra.
std::vector<TextRow> verify_window(const CopyRequest &request);

// The rows that differ: the difference (missing, extra, changed) and the key, or the whole row where there is none.
std::vector<TextRow> find_different_rows(const CopyRequest &request);

} // namespace pgci
