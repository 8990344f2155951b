// The moment that a value means which is compared with a column: the start or the end of the window, or a computed one.
// Call inside pg_call.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Local times in microseconds.
struct LocalSpan {
    std::int64_t start = 0;
    std::int64_t end = 0;
};

// Computes the value from its parse tree: $1, $2 and the marks of placeholders, with casts, days and intervals that are
// added, and the time in '{day} 23:59:59'. Differences of 24 hours and of a day are the same. Returns false for another
// expression.
bool find_moment(Node *value, const LocalSpan &window, std::int64_t &moment);

// Returns the midnight before a local time, or the local time.
constexpr std::int64_t midnight_of(std::int64_t local) {
    return local - ((local % USECS_PER_DAY) + USECS_PER_DAY) % USECS_PER_DAY;
}

// Returns whether casts in the expression reduce a moment to its day.
bool is_reduced_to_day(Node *value);

} // namespace pgci
