// Batches into the target by one prepared statement, through SPI.
#pragma once

#include "template/window.hpp"
#include "target/load_mode.hpp"
#include "rows/batch.hpp"
#include "rows/row_writer.hpp"

namespace pgci {

// From its construction to finish() everything is one statement to triggers and constraints, see StatementScope.
class SpiWriter final : public RowWriter {
  public:
    // Prepares the statements. Raises what PostgreSQL's analyzer refuses: 42804 where there is no assignment cast,
    // 428C9, 55000, 42P01 where they no longer name the target. Both must live as long as the writer. A batch is meant to have `bound` bytes
    // at most, and goes to a temporary file where it is twice as large; `description` is that of its rows, which `memory` keeps.
    SpiWriter(const LoadStatements &statements, const Target &target, const TimeZone &zone, TupleDesc description,
              std::int64_t bound, MemoryContext memory);
    // A statement within that of `outer`, which must last longer and has prepared it already.
    SpiWriter(const SpiWriter &outer, MemoryContext memory);

    std::int64_t remove() override;
    MemoryContext row_memory() const override { return row_memory_; }
    void add(Datum *values, bool *nulls, std::int64_t bytes) override;
    std::int64_t write() override;
    void finish() override;

  private:
    void begin(MemoryContext memory, SPIPlanPtr prepared);
    void begin_batch();

    StatementScope statement_{};
    const LoadStatements &statements_;
    const Target &target_;
    const TimeZone &zone_;
    SPIPlanPtr insert_ = nullptr;
    Batch batch_{};
    std::int64_t bound_;
    MemoryContext row_memory_ = nullptr; // the values of the rows added last
};

} // namespace pgci
