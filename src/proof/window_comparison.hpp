// What a window is compared with: which rows of the target are the window's.
#pragma once

#include "proof/comparison.hpp"

namespace pgci {

// What is compared with what. `window` is null for a whole result. The target's rows are those of `slice`; without one,
// those that the query itself finds in the target, or all of them where there is no window. Raises 0A000 where that is
// not clear, 42804 for columns that do not match, 42703 for key columns that are not there.
Comparison make_comparison(SourceSession &source, const SourceQuery &query, const std::vector<SourceColumn> &columns,
                           const Target &target, const std::string &slice, const WindowText *window,
                           const std::vector<std::string> &key, const TimeZone &zone);

} // namespace pgci
