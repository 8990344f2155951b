// The data of a COPY into the target, by the server's own COPY FROM.
#pragma once

#include "ledger/progress.hpp"
#include "target/load_plan.hpp"
#include "rows/row_writer.hpp"
#include "rows/source_copy.hpp"

namespace pgci {

// Raises 0A000 for a target that COPY cannot write to, or not as an INSERT would: where row security applies, for rules,
// views without INSTEAD OF trigger, columns that get no value although their domain may want one, and with a slice for
// targets whose rows do not tell who wrote them.
void check_copy_target(const Target &target, const LoadPlan &load, const CopyPlan &copy);

class CopyWriter {
  public:
    // Makes the checks of COPY that the server's function for it leaves to its callers: the one above, and 42501 without
    // the right to insert into every column. The arguments must live as long as the writer.
    CopyWriter(const Target &target, const LoadPlan &load, const CopyPlan &copy, const TimeZone &zone);

    // Deletes the slice and returns how many rows that were.
    std::int64_t remove();
    // Writes all rows, as one COPY, and returns how many were written. Raises 44000 where some are outside of the slice.
    // The progress of COPY, which begins here, is made that of the run.
    std::int64_t write(SourceCopy &data, const RunProgress &progress);
    // Fires what remove() has triggered.
    void finish();

  private:
    CopyFromState begin();
    std::int64_t count_written(bool inside) const;

    const Target &target_;
    const LoadPlan &load_;
    const CopyPlan &copy_;
    StatementScope scope_{};
    Relation relation_ = nullptr;                      // while the COPY runs
    TransactionId transaction_ = InvalidTransactionId; // those of the COPY
    CommandId command_ = InvalidCommandId;
};

} // namespace pgci
