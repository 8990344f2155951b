// A batch as a relation that SQL can read.
#pragma once

#include "server/pg.hpp"
#include "target/load_mode.hpp"
#include "rows/batch.hpp"
#include "rows/row_order.hpp"

namespace pgci {

// During its lifetime, the INSERT of a run can read these rows of a batch, as often as it wants, from
// copy_incremental_batch_rows(). The function cannot take the batch as an argument: no SQL statement may call a function
// with arguments of type internal, and a user could pass any number as an address.
class BatchInHand {
  public:
    // What the checks of the INSERT have found, if the plan of the INSERT reports it here; see LoadStatements.
    struct Refused {
        std::int64_t outside = 0;     // rows stored outside of the slice
        const char *stored = nullptr; // the first of these, in the memory of the transaction
        bool has_null_key = false;
    };

    BatchInHand(const Batch &batch, std::size_t begin, std::size_t end, const LoadStatements &statements)
        : batch_(batch), begin_(begin), end_(end), statements_(statements),
          order_(order_rows(batch, begin, end, statements.order)), previous_(current_) {
        current_ = this;
    }
    ~BatchInHand() { current_ = previous_; }
    BatchInHand(const BatchInHand &) = delete;
    BatchInHand &operator=(const BatchInHand &) = delete;

    // Returns null if no statement of a run is being executed.
    static BatchInHand *current() noexcept { return current_; }
    // Raises 55000 if no statement of a run is being executed.
    static BatchInHand &get();

    const Batch &batch() const noexcept { return batch_; }
    std::size_t count() const noexcept { return order_.rows.empty() ? end_ - begin_ : order_.rows.size(); }
    Batch::Row row(std::size_t place) const noexcept {
        return batch_.row(order_.rows.empty() ? begin_ + place : order_.rows[place]);
    }
    bool has_null_key() const noexcept { return order_.has_null_key; }
    const LoadStatements &statements() const noexcept { return statements_; }
    const Refused &refused() const noexcept { return refused_; }

    // Whether a row is left out, instead of an error, if another session has inserted its key. Such rows are counted.
    bool leaves_out_conflicts = false;
    std::int64_t left_out = 0;
    std::int64_t dropped = 0; // rows for which a trigger has returned NULL

    // Counts a row for which RETURNING says that a check refuses it. PostgreSQL code.
    void check(bool is_outside, Datum stored, bool has_null_key);

    // Returns the rows to the executor, which called the function.
    static void return_rows(FunctionCallInfo fcinfo);

  private:
    static inline BatchInHand *current_ = nullptr;
    const Batch &batch_;
    const std::size_t begin_;
    const std::size_t end_;
    const LoadStatements &statements_;
    const RowOrder order_;
    Refused refused_{};
    BatchInHand *const previous_;
};

} // namespace pgci
