// verify => true: a run that proves itself, or fails.
#pragma once

#include "proof/window_comparison.hpp"

namespace pgci {

class LoadCheck {
  public:
    // Has the source compute its checksum of the window, in the snapshot that the run reads.
    LoadCheck(SourceSession &source, const SourceQuery &query, const std::vector<SourceColumn> &columns,
              const Target &target, const std::string &slice, const WindowText *window, const TimeZone &zone);
    LoadCheck(const LoadCheck &) = delete;
    LoadCheck &operator=(const LoadCheck &) = delete;

    // After the last batch and what it has triggered: raises 22000 when the target's rows of the window are others.
    void compare();

  private:
    Comparison comparison_;
    Checksum source_;
    std::string target_name_;
};

} // namespace pgci
