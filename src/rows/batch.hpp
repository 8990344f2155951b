// The rows of a batch, as a relation that SQL can read.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Plain data, because PostgreSQL code uses it. When the statement reads the batch, the executor becomes the owner of
// the rows.
struct Batch {
    Tuplestorestate *rows = nullptr;
    TupleDesc description = nullptr;
    // Rules of the target have turned the INSERT into several statements, each of which reads all rows.
    bool read_often = false;
};

// During its lifetime, copy_incremental_batch_rows() returns this batch: once, or each time if it is read often. The
// function cannot take the batch as an argument: no SQL statement may call a function with arguments of type internal,
// and a user could pass any number as an address.
class BatchInHand {
  public:
    explicit BatchInHand(Batch &batch) noexcept : previous_(current_) { current_ = &batch; }
    ~BatchInHand() { current_ = previous_; }
    BatchInHand(const BatchInHand &) = delete;
    BatchInHand &operator=(const BatchInHand &) = delete;

    // Returns the rows to the executor, which called the function.
    static void return_rows(FunctionCallInfo fcinfo);

  private:
    static inline Batch *current_ = nullptr;
    Batch *previous_;
};

} // namespace pgci
