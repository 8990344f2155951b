// Rows on their way from the wire to the INSERT, as a relation that SQL can read.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Plain data, because PostgreSQL code holds it: the executor takes the rows over when the statement reads them.
struct Batch {
    Tuplestorestate *rows = nullptr;
    TupleDesc description = nullptr;
    // Rules of the target made several statements of the INSERT, each of which reads all rows.
    bool read_often = false;
};

// For as long as it lives, the batch is the one that copy_incremental_batch_rows() returns, once unless it is read
// often. The function has no argument to name the batch by: PostgreSQL lets no statement call a function of type
// internal, and a number that is an address could be made up.
class BatchInHand {
  public:
    explicit BatchInHand(Batch &batch) noexcept : previous_(current_) { current_ = &batch; }
    ~BatchInHand() { current_ = previous_; }
    BatchInHand(const BatchInHand &) = delete;
    BatchInHand &operator=(const BatchInHand &) = delete;

    // Hands the rows over to the executor, which called the function.
    static void return_rows(FunctionCallInfo fcinfo);

  private:
    static inline Batch *current_ = nullptr;
    Batch *previous_;
};

} // namespace pgci
