// Batches into the target by one prepared statement, through SPI.
#pragma once

#include "batch.hpp"
#include "load_mode.hpp"
#include "window.hpp"

namespace pgci {

// To triggers and constraints everything between construction and finish() is one statement: AFTER triggers, foreign
// keys and statement triggers wait for finish(), so that nothing depends on the size of a batch. The session's
// TimeZone is the run's in between, so that a timestamp means the same moment on both sides.
class SpiWriter {
  public:
    // Prepares the statements. Raises what PostgreSQL's analyzer refuses: 42804 where there is no assignment cast,
    // 428C9, 55000. The statements must live as long as the writer.
    SpiWriter(const LoadStatements &statements, const TimeZone &zone);

    // Deletes the slice and returns how many rows that were; 0 for a mode that deletes nothing. Raises 40001 where the
    // slice has rows that a REPEATABLE READ transaction cannot see.
    std::int64_t remove();
    // Inserts the rows of a batch, which is used up, and returns how many were written. Raises 44000 for a row that
    // is outside of the slice.
    std::int64_t write(Batch &batch);
    // Fires what the rows have triggered. To be called once, after the last batch.
    void finish();

  private:
    std::int64_t execute(SPIPlanPtr plan, bool counts_outside, bool finds_newest_rows);

    const LoadStatements &statements_;
    SPIPlanPtr insert_ = nullptr;
    bool has_several_statements_ = false; // by rules of the target
    int settings_ = 0;                    // the level of settings to go back to; an error goes back by itself
};

} // namespace pgci
