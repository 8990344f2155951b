// on_error => 'reject': writes batches without the rows that the target refuses.
#pragma once

#include <limits>

#include "ledger/rejects.hpp"
#include "rows/spi_writer.hpp"

namespace pgci {

// Each batch is one statement in a subtransaction, including its triggers and foreign keys. If it fails because of a
// row, its halves are tried, down to a single row. A batch of valid rows costs one subtransaction. After a batch with
// many invalid rows, the next batch is split from the start.
class RejectingWriter final : public RowWriter {
  public:
    // Arguments as for SpiWriter.
    RejectingWriter(const LoadStatements &statements, const Target &target, const TimeZone &zone, const Batch &batch,
                    Rejects &rejects)
        : batch_(batch), rejects_(rejects), whole_(statements, target, zone, batch) {}

    std::int64_t remove() override { return whole_.remove(); }
    std::int64_t write() override;
    void finish() override { whole_.finish(); }

  private:
    std::int64_t write_range(std::size_t begin, std::size_t end, bool is_known_to_fail);
    std::optional<std::int64_t> try_range(std::size_t begin, std::size_t end);
    void reject(std::size_t row, RunFailure failure);

    const Batch &batch_;
    Rejects &rejects_;
    // The statement that contains all batches. Constraints on rows that mode replace deletes are checked after the new
    // rows are written.
    SpiWriter whole_;
    // Number of rows to try together: smaller after a batch with many invalid rows.
    static constexpr std::size_t whole_batch = std::numeric_limits<std::size_t>::max();
    std::size_t portion_ = whole_batch;
};

} // namespace pgci
