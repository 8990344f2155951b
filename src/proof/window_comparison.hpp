// A window is compared: which rows of the target are the window's, and the check of a run that loads it.
#pragma once

#include "proof/comparison.hpp"

namespace pgci {

// What is compared with what. `window` is null for a whole result. The target's rows are those of `slice`; without one,
// those that the query itself finds in the target, if it uses only what is built in, or all of them where there is no
// window. Raises 0A000 where that is not clear, 42804 for columns that do not match, 42703 for key columns that are not there.
Comparison make_comparison(SourceSession &source, const SourceQuery &query, const std::vector<SourceColumn> &columns,
                           const Target &target, const std::string &slice, const WindowText *window,
                           const std::vector<std::string> &key, const TimeZone &zone);

// verify => true: a run that proves itself, or fails.
class LoadCheck {
  public:
    // Has the source compute its checksum of the window, in the snapshot that the run reads.
    LoadCheck(Comparison comparison, std::string target_name);
    LoadCheck(const LoadCheck &) = delete;
    LoadCheck &operator=(const LoadCheck &) = delete;

    // After the last batch and what it has triggered: raises 22000 when the target's rows of the window are others.
    void compare();
    std::int64_t source_rows() const { return std::stoll(source_.rows); }

  private:
    Comparison comparison_;
    Checksum source_;
    std::string target_name_;
};

} // namespace pgci
