// Writes batches to the target through SPI, with a statement that is prepared once.
#pragma once

#include "template/window.hpp"
#include "target/load_mode.hpp"
#include "rows/batch_in_hand.hpp"
#include "rows/row_writer.hpp"

namespace pgci {

// From the constructor to finish(), all writes are one statement for triggers and constraints; see StatementScope.
class SpiWriter final : public RowWriter {
  public:
    // Prepares the statement. Raises the errors of the analyzer: 42804 if there is no assignment cast, 428C9, 55000,
    // and 42P01 if the statement no longer refers to the target. The arguments must outlive the writer.
    SpiWriter(const LoadStatements &statements, const Target &target, const TimeZone &zone, const Batch &batch);
    // A statement inside the one of `outer`, which must live longer and has prepared it.
    explicit SpiWriter(const SpiWriter &outer);

    std::int64_t remove() override;
    std::int64_t write() override { return write(0, batch_.count()); }
    // Writes only these rows of the batch.
    std::int64_t write(std::size_t begin, std::size_t end);
    void finish() override;
    std::int64_t dropped() const override { return dropped_; }

  private:
    void begin(const SpiWriter *outer);
    bool merge(BatchInHand &in_hand, std::int64_t &written);
    std::int64_t execute(SPIPlanPtr statement);
    void raise_refused(BatchInHand &in_hand) const;
    char *find_came(const char *stored) const;

    StatementScope statement_{};
    const LoadStatements &statements_;
    const Target &target_;
    const TimeZone &zone_;
    const Batch &batch_;
    SPIPlanPtr insert_ = nullptr;
    SPIPlanPtr merge_ = nullptr; // null if there is none
    std::int64_t dropped_ = 0;
};

} // namespace pgci
