// Decides which rows of the target belong to a window, and checks a run that loads it.
#pragma once

#include "proof/comparison.hpp"

namespace pgci {

// Prepares a comparison. `window` is null for a whole result. The target's rows are those of `slice`. Without a slice
// they are those that the query itself finds in the target, if it uses only built-in objects; for a whole result, all
// rows. Raises 0A000 if the rows cannot be determined, 42804 for columns that cannot be compared, 42703 for key columns
// that do not exist.
Comparison make_comparison(SourceSession &source, const SourceQuery &query, const std::vector<SourceColumn> &columns,
                           const Target &target, const std::string &slice, const WindowText *window,
                           const std::vector<std::string> &key, const TimeZone &zone);

// The check of a run with verify => true.
class LoadCheck {
  public:
    // Computes the checksum of the window at the source, in the snapshot of the run.
    LoadCheck(Comparison comparison, std::string target_name);
    LoadCheck(const LoadCheck &) = delete;
    LoadCheck &operator=(const LoadCheck &) = delete;

    // Call it after the last batch and its triggers. Raises 22000 if the target's rows of the window differ.
    void compare();
    std::int64_t source_rows() const { return std::stoll(source_.rows); }

  private:
    Comparison comparison_;
    Checksum source_;
    std::string target_name_;
};

} // namespace pgci
