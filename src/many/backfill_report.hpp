// What a backfill tells its user: a line for each day, and at the end the days that failed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/run_failure.hpp"
#include "ledger/ledger.hpp"

namespace pgci {

// How a day ended.
struct DayResult {
    TimestampTz started_at = 0;
    TimestampTz ended_at = 0;
    std::int64_t rows_written = 0;
    std::optional<RunFailure> failure{};
};

class BackfillReport {
  public:
    // Of `days` days, `to_do` are to be copied.
    BackfillReport(std::size_t days, std::size_t to_do, Reprocess reprocess);

    // Sends a NOTICE, or a WARNING for a day that failed: "2013-01-05: 720 rows in 0.12 s (5 of 31)".
    void add(const std::string &day, const DayResult &result);
    // Raises an error that names the days that failed, in their order, with the SQLSTATE of the first.
    void finish() const;

  private:
    struct Failed {
        std::string day;
        RunFailure failure;
    };
    std::size_t to_do_;
    std::size_t done_ = 0;
    Reprocess reprocess_;
    static constexpr std::size_t most_shown = 20;
    std::size_t failed_days_ = 0;
    std::vector<Failed> failed_{}; // the first of them, in their order
};

} // namespace pgci
