// on_error => 'reject': batches into the target, without the rows that it refuses.
#pragma once

#include "ledger/rejects.hpp"
#include "rows/spi_writer.hpp"

namespace pgci {

// Each batch is a statement of its own in a subtransaction, with its triggers and foreign keys. Where it fails for a row's
// own reason, its halves are tried, down to the row. A batch of good rows costs one subtransaction.
class RejectingWriter final : public RowWriter {
  public:
    // As for SpiWriter.
    RejectingWriter(const LoadStatements &statements, const TimeZone &zone, TupleDesc description, std::int64_t bound,
                    MemoryContext memory, Rejects &rejects);

    std::int64_t remove() override { return whole_.remove(); }
    MemoryContext row_memory() const override { return row_memory_; }
    void add(Datum *values, bool *nulls, std::int64_t bytes) override;
    std::int64_t write() override;
    void finish() override;

  private:
    std::int64_t write_range(std::size_t begin, std::size_t end);
    std::int64_t write_at_once(std::size_t begin, std::size_t end);
    void reject(std::size_t row, const RunFailure &failure);

    const LoadStatements &statements_;
    const TimeZone &zone_;
    TupleDesc description_;
    std::int64_t bound_;
    Rejects &rejects_;
    // The statement around all of them: what mode replace deletes is checked when the new rows are there.
    SpiWriter whole_;
    MemoryContext row_memory_ = nullptr;
    // Plain memory, because add() must not throw.
    HeapTuple *rows_ = nullptr;
    std::size_t count_ = 0;
    std::size_t room_ = 0;
};

} // namespace pgci
