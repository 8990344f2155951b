// on_error => 'reject': writes batches without the rows that the target refuses.
#pragma once

#include <functional>
#include <limits>

#include "server/run_failure.hpp"
#include "rows/spi_writer.hpp"

namespace pgci {

// Each batch is one statement in a subtransaction, including its triggers and foreign keys. If it fails because of a
// row, its halves are tried, down to a single row. A batch of valid rows costs one subtransaction. After a batch with
// many invalid rows, the next batch is split from the start.
class RejectingWriter final : public RowWriter {
  public:
    // Is called for each row of the batch that is rejected, outside of the subtransaction.
    using Reject = std::function<void(std::size_t row, RunFailure failure)>;

    // The other arguments as for SpiWriter.
    RejectingWriter(const LoadStatements &statements, const Target &target, const TimeZone &zone, const Batch &batch,
                    Reject reject)
        : batch_(batch), reject_(std::move(reject)), whole_(statements, target, zone, batch) {}

    std::int64_t remove() override { return whole_.remove(); }
    std::int64_t write() override;
    void finish() override { whole_.finish(); }
    std::int64_t dropped() const override { return dropped_; }

  private:
    std::int64_t write_range(std::size_t begin, std::size_t end, bool is_known_to_fail);
    std::optional<std::int64_t> try_range(std::size_t begin, std::size_t end);

    std::int64_t dropped_ = 0;
    const Batch &batch_;
    Reject reject_;
    std::int64_t rejected_ = 0;
    // The statement that contains all batches. Constraints on rows that mode replace deletes are checked after the new
    // rows are written.
    SpiWriter whole_;
    // Number of rows to try together: smaller after a batch with many invalid rows.
    static constexpr std::size_t whole_batch = std::numeric_limits<std::size_t>::max();
    std::size_t portion_ = whole_batch;
};

} // namespace pgci
