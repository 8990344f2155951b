// What takes the rows of a run into the target, and makes one statement of all that it writes.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// The values of rows that were added are freed when they take so many bytes.
inline constexpr Size most_row_memory = 64 * 1024;

// The interface of the writers that take rows one by one.
class RowWriter {
  public:
    RowWriter() = default;
    RowWriter(const RowWriter &) = delete;
    RowWriter &operator=(const RowWriter &) = delete;
    virtual ~RowWriter() = default;

    // Deletes the slice and returns how many rows that were; 0 for a mode that deletes nothing. Raises 40001 where the
    // slice has rows that a REPEATABLE READ transaction cannot see.
    virtual std::int64_t remove() = 0;

    // Where the values of a row are to be allocated, which is the writer's to free.
    virtual MemoryContext row_memory() const = 0;
    // Adds a row of the batch's columns to the batch; `bytes` is about the size of its values. PostgreSQL code, for use
    // inside pg_call.
    virtual void add(Datum *values, bool *nulls, std::int64_t bytes) = 0;
    // A row is given up before it was added, after some of its values were allocated.
    virtual void give_up_row() {}
    // Writes the batch and returns how many rows were written. Raises 44000 for a row that is outside of the slice.
    virtual std::int64_t write() = 0;

    // Fires what the rows have triggered. To be called once, after the last batch.
    virtual void finish() = 0;
};

// All that a run writes in a transaction, as one statement to triggers and constraints.
// Between begin() and end() AFTER triggers, foreign keys and statement triggers wait, so that nothing depends on the
// size of a batch, and the session's TimeZone is the run's, so that a timestamp means the same moment on both sides.
// Both are PostgreSQL code; an error needs no end().
class StatementScope {
  public:
    void begin(const char *time_zone);
    // Fires what the rows have triggered.
    void end();

  private:
    int settings_ = 0; // the level of settings to go back to
};

} // namespace pgci
