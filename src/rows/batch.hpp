// The rows of a batch, in memory.
#pragma once

#include "server/pg.hpp"
#include "rows/value_arena.hpp"

namespace pgci {

// Rows that were decoded and are not yet written. All functions are PostgreSQL code, for use inside pg_call.
class Batch {
  public:
    // The values of a row, one for each column.
    struct Row {
        Datum *values;
        bool *nulls;
    };

    // Allocates in `memory`, which must live longer, as must `description`, the columns of the batch.
    void create(TupleDesc description, MemoryContext memory);

    // Returns the place for the next row. Allocate its values in values(), then call add(). A row that is not
    // added is overwritten by the next one.
    Row next() {
        if (count_ == room_) grow();
        return row(count_);
    }
    void add() noexcept { ++count_; }
    // Frees all rows.
    void clear();

    Row row(std::size_t number) const noexcept {
        const std::size_t first = number * static_cast<std::size_t>(description_->natts);
        return {values_ + first, nulls_ + first};
    }
    std::size_t count() const noexcept { return count_; }
    TupleDesc description() const noexcept { return description_; }
    // Memory for values passed by reference.
    ValueArena &values() noexcept { return arena_; }

  private:
    void grow();

    TupleDesc description_ = nullptr;
    MemoryContext memory_ = nullptr;
    ValueArena arena_{};
    Datum *values_ = nullptr;
    bool *nulls_ = nullptr;
    std::size_t count_ = 0;
    std::size_t room_ = 0;
};

} // namespace pgci
