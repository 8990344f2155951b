// All that a run writes in a transaction, as one statement to triggers and constraints.
#pragma once

#include "server/pg.hpp"

namespace pgci {

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
