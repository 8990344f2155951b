// The slice: mode replace deletes its rows first, and no row outside it may be inserted.
#pragma once

#include <string>

#include "server/pg.hpp"
#include "template/window.hpp"
#include "target/load_mode.hpp"
#include "target/target.hpp"

namespace pgci {

// Executes the DELETE of a slice, if there is one, and returns the number of deleted rows. Triggers are queued in the
// current trigger query level. Raises 40001 if the slice has rows that a REPEATABLE READ transaction cannot see, 42P01 if
// a statement no longer refers to `target`, 44000 if rows are left in the slice. Rows are only counted where a trigger, a
// rule or a foreign table may keep or add some.
std::int64_t delete_slice(const LoadStatements &statements, const Target &target);

// To be called when the AFTER triggers of the DELETE have fired. If there are any, raises 44000 if the slice has more rows
// than were written.
void check_slice_after(const LoadStatements &statements, const Target &target, const TimeZone &zone,
                       std::int64_t written);

// Rows of the source outside the slice, and one of them as text, or null.
struct OutsideRows {
    std::int64_t count = 0;
    const char *came = nullptr;   // as the source sent it
    const char *stored = nullptr; // as the target has it
    bool is_replace = true;       // else the slice is the window that other modes may write
};

// Raises 44000. PostgreSQL code.
[[noreturn]] void raise_outside_slice(const OutsideRows &rows);

} // namespace pgci
