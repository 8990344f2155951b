// Checks whether a window is complete at the source. Rows that are committed later would be missed permanently.
#pragma once

#include "template/window.hpp"
#include "request/copy_request.hpp"
#include "source/source_ids.hpp"
#include "source/source_session.hpp"

namespace pgci {

// Why it is not known whether a window is settled; empty: it is known.
struct Doubt {
    std::string detail{};
    std::string hint{};
};

// The result of the check.
struct SettledState {
    std::optional<bool> is_settled{}; // nothing: not checked; false also if that is not known
    Doubt doubt{};
};

// A window of time is settled if it has ended by the clock of the source, every transaction of the database that began before its
// end has ended, and a standby has replayed a transaction committed after its end. If it is not, `settle` decides whether this is
// a warning, an error (PI002) or a wait. With `refuses_unsettled`, warn raises an error instead of the warning.
// If the role may not see when transactions began, they are waited for, because they may have begun before the end of the
// window: with settle => wait as long as they last, else two seconds. Then it is not known whether the window is settled, which
// is an error except for warn, whose caller issues the warning. Nor is it known if the query reads a foreign table, for which wait
// does not wait.
// `first` is an answer to settled_question() that the caller has already.
// `name` is the window in messages. The caller must restart the transaction at the source, to see what was committed before the check.
SettledState settle_window(SourceSession &source, const TimeZone &zone, const SourceQuery &query, const Window &window,
                           const std::string &name, Settle settle, bool refuses_unsettled, const Answer *first);

// The question that settle_window() asks.
Question settled_question(const Window &window, const SourceQuery &query);

// A window of ids is settled if the source has a row with its last id or a higher one, and every transaction has ended that was open
// when this was seen. It is not known if the source's catalogs do not show that a later transaction takes a higher id. With settle
// => off, only the highest id is read.
SettledState settle_ids(SourceIds &ids, const Window &window, const std::string &name, Settle settle,
                        bool refuses_unsettled);

// Raises PI002 for ids of which it is not known whether they are settled.
[[noreturn]] void raise_doubt(const std::string &name, const Doubt &doubt);
// What the catalogs do not show about ids, and about the tables of a query with windows of time.
Doubt doubt_of(const SourceIds &ids);
Doubt doubt_of(SourceSession &source, const Window &window, const SourceQuery &query);

// Issues the warning for a window of which it is not known whether it is settled.
void warn_of_doubt(const std::string &window, const Doubt &doubt);

// Returns the warning for a window that is not settled, as far as the role may see; empty if it is settled.
std::string unsettled_warning(SourceSession &source, const Window &window, const SourceQuery &query);

// Waits between two looks at the source: milliseconds, because most transactions end within them.
void rest_between_looks(int looks);
// Two seconds, in which most transactions end.
constexpr int most_short_looks = 12;

} // namespace pgci
