// Is a window complete at the source? Rows of it that are committed later would be missed for good.
#pragma once

#include "template/window.hpp"
#include "request/copy_request.hpp"
#include "source/source_session.hpp"

namespace pgci {

// What was found out.
struct SettledState {
    std::optional<bool> is_settled{}; // nothing: not looked at, or the source's role may not see enough
    bool has_restarted = false;       // the source's transaction has begun again
};

// A window is settled when it has ended by the source's clock, when no transaction that has written and began before its
// end is open, and when a standby has replayed a transaction of after its end. As `settle` says, a window that is not
// settled is a warning, or an error (55000), or is waited for. After wait and error the source's transaction has begun
// again, after the look. A transaction whose begin the source's role may not see is waited for, and an error, but no
// warning. With `refuses_unsettled`, what `warn` warns of is an error.
SettledState settle_window(SourceSession &source, const TimeZone &zone, const Window &window, Settle settle,
                           bool refuses_unsettled);

// The warning for a window that is not settled, as far as the source's role may see; empty for one that is.
std::string unsettled_warning(SourceSession &source, const Window &window);

} // namespace pgci
