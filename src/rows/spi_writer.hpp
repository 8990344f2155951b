// Writes batches to the target with one prepared statement, through SPI.
#pragma once

#include "template/window.hpp"
#include "target/load_mode.hpp"
#include "rows/batch.hpp"
#include "rows/row_writer.hpp"

namespace pgci {

// From the constructor to finish(), all writes are one statement for triggers and constraints; see StatementScope.
class SpiWriter final : public RowWriter {
  public:
    // Prepares the statements. Raises the errors of the analyzer: 42804 if there is no assignment cast, 428C9, 55000,
    // and 42P01 if the statements no longer refer to the target. The statements and the target must outlive the writer.
    // A batch is written to a temporary file if it exceeds twice `bound` bytes. `description` describes its rows and is
    // allocated in `memory`.
    SpiWriter(const LoadStatements &statements, const Target &target, const TimeZone &zone, TupleDesc description,
              std::int64_t bound, MemoryContext memory);
    // A statement inside the one of `outer`, which must live longer and has prepared it.
    SpiWriter(const SpiWriter &outer, MemoryContext memory);

    std::int64_t remove() override;
    MemoryContext row_memory() const override { return row_memory_; }
    void add(Datum *values, bool *nulls, std::int64_t bytes) override;
    std::int64_t write() override;
    void finish() override;

  private:
    void begin(MemoryContext memory, SPIPlanPtr prepared);
    void begin_batch();
    std::int64_t checked();
    char *find_came(const char *stored) const;

    StatementScope statement_{};
    const LoadStatements &statements_;
    const Target &target_;
    const TimeZone &zone_;
    SPIPlanPtr insert_ = nullptr;
    Batch batch_{};
    std::int64_t bound_;
    MemoryContext row_memory_ = nullptr; // values of the rows added last
};

} // namespace pgci
