// Writes COPY data to the target with the server's COPY FROM.
#pragma once

#include "ledger/progress.hpp"
#include "target/load_plan.hpp"
#include "rows/row_writer.hpp"
#include "rows/source_copy.hpp"

namespace pgci {

// Raises 0A000 for a target that COPY cannot write to, or not as an INSERT would: if row-level security applies, for
// rules, views without an INSTEAD OF trigger, columns that get no value although their domain may require one, and,
// with a slice, for targets that do not record which transaction wrote a row.
void check_copy_target(const Target &target, const LoadPlan &load, const CopyPlan &copy);

class CopyWriter {
  public:
    // Makes the checks that the server's function leaves to its callers: check_copy_target(), and 42501 without INSERT
    // privilege on every column. The arguments must outlive the writer.
    CopyWriter(const Target &target, const LoadPlan &load, const CopyPlan &copy, const TimeZone &zone);

    // Deletes the slice and returns the number of deleted rows.
    std::int64_t remove();
    // Writes all rows in one COPY and returns their number. Raises 44000 if some are outside the slice. Reports COPY's
    // progress, which starts here, as the progress of the run.
    std::int64_t write(SourceCopy &data, const RunProgress &progress);
    // Fires the triggers that remove() has queued.
    void finish();

  private:
    struct Written {
        std::int64_t count = 0;
        const char *example = nullptr; // the text of one of the rows
    };

    CopyFromState begin();
    Written find_written(bool inside) const;

    const Target &target_;
    const LoadPlan &load_;
    const CopyPlan &copy_;
    StatementScope scope_{};
    Relation relation_ = nullptr;                      // set while the COPY is running
    TransactionId transaction_ = InvalidTransactionId; // of the COPY
    CommandId command_ = InvalidCommandId;
};

} // namespace pgci
