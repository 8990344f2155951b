// Writes the rows of a run to the target, as one statement for triggers and constraints.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Interface of the writers of a batch.
class RowWriter {
  public:
    RowWriter() = default;
    RowWriter(const RowWriter &) = delete;
    RowWriter &operator=(const RowWriter &) = delete;
    virtual ~RowWriter() = default;

    // Deletes the slice and returns the number of deleted rows; 0 for a mode that does not delete. Raises 40001 if the
    // slice has rows that a REPEATABLE READ transaction cannot see.
    virtual std::int64_t remove() = 0;

    // Writes the rows of the batch and returns the number of written rows. Raises 44000 for a row outside the slice.
    virtual std::int64_t write() = 0;

    // Fires the queued triggers. Call it once, after the last batch.
    virtual void finish() = 0;

    // The number of rows for which a trigger of the target has returned NULL, as far as the executor tells.
    virtual std::int64_t dropped() const { return 0; }
};

// All writes of a run in a transaction, as one statement for triggers and constraints. Between begin() and end(), AFTER
// triggers, foreign keys and statement triggers are deferred, so that nothing depends on the batch size. TimeZone is
// that of the run, so that a timestamp means the same instant on both servers. Both functions are PostgreSQL code;
// after an error, end() is not needed.
class StatementScope {
  public:
    void begin(const char *time_zone);
    // Fires the queued triggers.
    void end();

  private:
    int settings_ = 0; // nest level of the changed parameters
};

} // namespace pgci
