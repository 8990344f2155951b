// Batches into the target by one prepared INSERT, through SPI.
#pragma once

#include "batch.hpp"
#include "column_map.hpp"

namespace pgci {

// To triggers and constraints the whole run is one statement: AFTER triggers, foreign keys and statement triggers
// wait for finish(), so that nothing depends on the size of a batch.
class SpiWriter {
  public:
    // Prepares the INSERT. `schema` is the extension's own. Raises what PostgreSQL's analyzer refuses: 42804 where
    // there is no assignment cast, 428C9, 55000.
    SpiWriter(const Target &target, const ColumnMap &map, Oid schema);

    // Inserts the rows of a batch, which is used up, and returns how many were written.
    std::int64_t write(Batch &batch);
    // Fires what the rows of the run have triggered. To be called once, after the last batch.
    void finish();

  private:
    SPIPlanPtr plan_;
    bool has_several_statements_ = false; // by rules of the target
};

} // namespace pgci
