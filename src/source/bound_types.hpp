// The types that the source gives to what a query compares with the window. Only dates and timestamps have a meaning: a
// text would be compared as text.
#pragma once

#include <string>
#include <vector>

#include "source/source_session.hpp"
#include "template/window.hpp"

namespace pgci {

// Returns the query that was described last, with $1 and $2 as values of the types that the source has inferred: a date
// and a timestamp are local times of the zone. Raises 42804 for other types, 22023 for a date and a window that does not
// consist of days.
SourceQuery bind_window(SourceSession &source, const SourceQuery &query, const Window &window, const TimeZone &zone);

// Checks a query with the placeholders {start} and {end} against the type of the column that it compares with them,
// which it reads from a table of this OID. Raises 42804 for a text column, 22008 for a column without a time zone if a
// bound is a local time that occurs twice, 22023 for a date and a window that does not consist of days.
void check_placeholders(SourceSession &source, const SourceQuery &query, Oid table, const Window &window,
                        const TimeZone &zone);

// Returns warnings about what the query compares with the window: a snapshot that is not restricted to the window, a
// column that may be NULL, and local time of an unknown zone. `table` is the one that the columns of the result come
// from.
std::vector<std::string> bound_warnings(SourceSession &source, const SourceQuery &query, Oid table,
                                        const TimeZone &zone);

// A value that is compared with the window although it is no moment.
struct NoMoment {
    std::string subject; // what the message is about
    std::string type_name;
    Oid type = InvalidOid;
    bool is_text = false;
    std::string column; // that is compared with it; empty if it is not known
};

// Raises 42804, with the form to write in the hint.
[[noreturn]] void raise_no_moment(const NoMoment &value);

// Returns the condition that a hint suggests for a column whose type has no day.
std::string form_to_write(Oid type, const std::string &column);

} // namespace pgci
