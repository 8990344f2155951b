// The rows of copy_incremental_explain().
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/run_failure.hpp"
#include "server/subtransaction.hpp"
#include "server/text_rows.hpp"

namespace pgci {

class Explanation {
  public:
    void add(const std::string &item, const std::string &value) {
        rows_.push_back({std::optional(item), std::optional(value)});
    }
    // The run ends at its first error.
    void add_error(const RunFailure &failure) {
        if (std::exchange(has_error_, true)) return;
        add("error",
            failure.sqlstate() + ": " + failure.message + (failure.detail.empty() ? "" : "\n" + failure.detail));
    }
    std::vector<TextRow> take() { return std::move(rows_); }

  private:
    std::vector<TextRow> rows_;
    bool has_error_ = false;
};

// Runs a step of the run in a subtransaction that is undone, so that its locks do not stay. Its error is the run's.
template <class Body> void explain_step(Explanation &explanation, Body &&body) {
    const std::optional<RunFailure> failure = in_subtransaction(body, any_error, BodyWork::is_undone);
    if (failure) explanation.add_error(*failure);
}

} // namespace pgci
