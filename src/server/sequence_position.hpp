// Moves a sequence forward, never back, while other sessions use it.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Where a sequence is: its next value is `last` if it is not called, else `last` and an increment.
struct SequencePosition {
    std::int64_t last = 0;
    bool is_called = false;

    bool operator==(const SequencePosition &) const = default;
};

// Returns the first position, in whole increments from this one, after which the sequence returns no value up to `value`, or
// with a negative increment, down to it. Pure arithmetic.
SequencePosition position_past(SequencePosition now, std::int64_t increment, std::int64_t value);

// Moves the sequence to position_past() its position, as one step that no nextval() of another session can divide, which
// setval() cannot do. Returns whether the sequence has values left, without those of another cycle. `value` is within the bounds
// of the sequence. As setval(), it is not undone by a rollback, and does not take back values that other sessions have in their
// CACHE. Does not check privileges. PostgreSQL code; the caller has locked the sequence with ROW EXCLUSIVE.
bool advance_sequence(Oid sequence, std::int64_t value);

} // namespace pgci
