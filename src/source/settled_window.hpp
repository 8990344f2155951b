// Checks whether a window is complete at the source. Rows that are committed later would be missed permanently.
#pragma once

#include "template/window.hpp"
#include "request/copy_request.hpp"
#include "source/source_session.hpp"

namespace pgci {

// The result of the check.
struct SettledState {
    std::optional<bool> is_settled{}; // nothing: not checked, or the role may not see enough
    bool has_restarted = false;       // the transaction at the source was restarted
};

// A window is settled if it has ended by the clock of the source, no open transaction that has written started before
// its end, and a standby has replayed a transaction committed after its end. If the window is not settled, `settle`
// decides whether this is a warning, an error (55000) or a wait. With wait and error, the transaction at the source is
// restarted after the check. If the role may not see when a transaction started, wait waits for it, error raises an
// error, and warn does not warn. With `refuses_unsettled`, warn raises an error instead of the warning.
SettledState settle_window(SourceSession &source, const TimeZone &zone, const Window &window, Settle settle,
                           bool refuses_unsettled);

// Returns the warning for a window that is not settled, as far as the role may see; empty if it is settled.
std::string unsettled_warning(SourceSession &source, const Window &window);

} // namespace pgci
