// Writes batches to a table as COPY does: many rows at once, without executing a plan.
#pragma once

#include "target/load_plan.hpp"
#include "target/target_slice.hpp"
#include "rows/bulk_row.hpp"
#include "rows/row_writer.hpp"

namespace pgci {

// Functions of the executor handle indexes, constraints, generated columns and AFTER triggers, called in the same order
// as in COPY.
class BulkWriter final : public RowWriter {
  public:
    // Arguments as for SpiWriter. The plan must be for method bulk.
    BulkWriter(const LoadPlan &plan, const Target &target, const TimeZone &zone, TupleDesc description,
               MemoryContext memory);

    std::int64_t remove() override;
    MemoryContext row_memory() const override { return row_memory_; }
    void add(Datum *values, bool *nulls, std::int64_t bytes) override;
    std::int64_t write() override;
    void finish() override;

  private:
    void open(const char *insert, const char *slice, TupleDesc description);
    bool is_inside(TupleTableSlot *row);
    void check_row(TupleTableSlot *row);
    void keep_outside(const Datum *values, const bool *nulls, TupleTableSlot *row);
    void flush();
    void fire_row_triggers(TupleTableSlot *row);

    static constexpr int most_rows = 1000; // rows of one flush
    static constexpr std::int64_t most_bytes = 65535;

    const LoadPlan &plan_;
    const Target &target_;
    StatementScope statement_{};
    BulkRow row_{};
    MemoryContext memory_;
    MemoryContext row_memory_ = nullptr; // values of the rows that are not flushed
    Relation relation_ = nullptr;
    EState *state_ = nullptr;
    ResultRelInfo *result_ = nullptr;
    TransitionCaptureState *transition_ = nullptr;
    BulkInsertState bulk_ = nullptr;
    ExprState *slice_ = nullptr;
    TupleTableSlot **slots_ = nullptr;
    int rows_ = 0; // rows that are not flushed
    std::int64_t bytes_ = 0;
    std::int64_t batch_rows_ = 0;
    TupleDesc description_ = nullptr; // of the batch
    OutsideRows outside_{};           // rows of the batch outside the slice
};

// Raises 0A000, with the hint to use method cursor, if the target is not a plain table, has BEFORE triggers, rules, or
// row-level security for the user, or if an extension's planner handles its INSERTs.
void check_bulk(const Target &target, const LoadPlan &load);

} // namespace pgci
