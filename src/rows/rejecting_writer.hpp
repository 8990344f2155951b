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
    RejectingWriter(const LoadStatements &statements, const Target &target, const TimeZone &zone, TupleDesc description,
                    std::int64_t bound, MemoryContext memory, Rejects &rejects);

    std::int64_t remove() override { return whole_.remove(); }
    MemoryContext row_memory() const override { return row_memory_; }
    void add(Datum *values, bool *nulls, std::int64_t bytes) override;
    void give_up_row() override;
    std::int64_t write() override;
    void finish() override;

  private:
    void free_row_memory();
    std::int64_t write_range(std::size_t begin, std::size_t end, bool is_known_to_fail);
    std::optional<std::int64_t> try_range(std::size_t begin, std::size_t end);
    std::int64_t write_at_once(std::size_t begin, std::size_t end);
    void reject(std::size_t row, RunFailure failure);

    TupleDesc description_;
    Rejects &rejects_;
    // The statement that contains all batches. Constraints on rows that mode replace deletes are checked after the new
    // rows are written.
    SpiWriter whole_;
    MemoryContext row_memory_ = nullptr;   // values of the rows added last
    MemoryContext batch_memory_ = nullptr; // rows of the batch
    // Allocated with palloc, because add() must not throw.
    HeapTuple *rows_ = nullptr;
    std::size_t count_ = 0;
    std::size_t room_ = 0;
    // Number of rows to try together: smaller after a batch with many invalid rows.
    static constexpr std::size_t whole_batch = std::numeric_limits<std::size_t>::max();
    std::size_t portion_ = whole_batch;
};

} // namespace pgci
