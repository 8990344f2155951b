#include "source/settled_window.hpp"

#include <set>
#include <sstream>

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "connection/question.hpp"

namespace pgci {

namespace {

// Returns one row: why the window is not settled, or NULL; and the transactions that have written and whose start the
// role may not see, or that have none (prepared transactions).
constexpr const char *inquiry =
    "SELECT CASE WHEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.<) $1::pg_catalog.timestamptz THEN 'The "
    "source''s "
    "clock shows ' OPERATOR(pg_catalog.||) pg_catalog.clock_timestamp()::pg_catalog.timestamptz(0)::pg_catalog.text "
    "OPERATOR(pg_catalog.||) '.' "
    "WHEN pg_catalog.pg_is_in_recovery() AND coalesce(pg_catalog.pg_last_xact_replay_timestamp() "
    "OPERATOR(pg_catalog.<) "
    "$1::pg_catalog.timestamptz, true) THEN 'The source is a standby that has replayed transactions up to ' "
    "OPERATOR(pg_catalog.||) "
    "coalesce(pg_catalog.pg_last_xact_replay_timestamp()::pg_catalog.timestamptz(0)::pg_catalog.text, 'none') "
    "OPERATOR(pg_catalog.||) '.' "
    "WHEN pg_catalog.min(began) OPERATOR(pg_catalog.<) $1::pg_catalog.timestamptz THEN 'A transaction that has written "
    "at "
    "the source is open since ' OPERATOR(pg_catalog.||) "
    "pg_catalog.min(began)::pg_catalog.timestamptz(0)::pg_catalog.text OPERATOR(pg_catalog.||) '.' END, "
    "pg_catalog.string_agg(xid, ' ') FILTER (WHERE began IS NULL) FROM (SELECT backend_xid::pg_catalog.text, "
    "xact_start "
    "FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL AND datname OPERATOR(pg_catalog.=) "
    "pg_catalog.current_database() UNION ALL SELECT transaction::pg_catalog.text, CASE WHEN prepared "
    "OPERATOR(pg_catalog.<) $1::pg_catalog.timestamptz THEN prepared END FROM pg_catalog.pg_prepared_xacts WHERE "
    "database "
    "OPERATOR(pg_catalog.=) pg_catalog.current_database()) AS writers(xid, began)";

struct Unsettled {
    std::string reason{};           // empty: settled, as far as visible
    std::set<std::string> hidden{}; // transactions whose start is not visible
};

Unsettled inquire(SourceSession &source, const Window &window) {
    const Answer answer =
        ask(source.connection(),
            {.kind = "the question about open transactions",
             .statement = RemoteConnection::Statement{.sql = inquiry, .parameters = {window.text().end}},
             .columns = 2,
             .most_bytes = 4 << 20, // one value for each possible backend
             .nullable = {0, 1}});
    Unsettled state{.reason = sanitize(answer.optional_text(0, 0).value_or("").c_str(), 200)};
    std::istringstream hidden(answer.optional_text(0, 1).value_or(""));
    for (std::string xid; hidden >> xid;) {
        if (xid.size() > 20 || xid.find_first_not_of("0123456789") != std::string::npos)
            answer.raise_wrong("no number of a transaction");
        state.hidden.insert(xid);
    }
    return state;
}

std::string message(const Window &window) {
    return "window " + window.name() + " is not settled: the source may still commit rows of it";
}

constexpr const char *hint = "Load it later or again, or pass settle => 'wait'; 'ignore' does not look.";

void pause_waiting() {
    constexpr long milliseconds = 250;
    pg_call([] {
        const int events =
            WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds, PG_WAIT_EXTENSION);
        if ((events & WL_LATCH_SET) != 0) ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    });
}

// If the start of a transaction is hidden, it matters only if it is open when the window ends.
void wait_until_settled(SourceSession &source, const TimeZone &zone, const Window &window) {
    std::optional<std::set<std::string>> to_end;
    while (true) {
        const Unsettled state = inquire(source, window);
        if (state.reason.empty()) {
            if (!to_end) to_end = state.hidden;
            std::erase_if(*to_end, [&](const std::string &xid) { return !state.hidden.contains(xid); });
            if (to_end->empty()) return;
        }
        pause_waiting();
        source.restart(zone);
    }
}

[[noreturn]] void raise_unsettled(const Window &window, const Unsettled &state) {
    if (!state.reason.empty()) raise(sqlstate::not_settled, message(window), hint, state.reason);
    raise(sqlstate::not_settled, message(window),
          "GRANT pg_read_all_stats to the source's role, so that it sees when transactions began; or pass settle => "
          "'wait'.",
          "Transactions that have written at the source are open, and the source's role may not see since when.");
}

void warn_unsettled(const Window &window, const Unsettled &state) {
    const std::string text = message(window);
    pg_call([&] {
        ereport(WARNING, (errcode(sqlstate::not_settled.packed()), errmsg_internal("%s", text.c_str()),
                          errdetail_internal("%s", state.reason.c_str()), errhint("%s", hint)));
    });
}

} // namespace

std::string unsettled_warning(SourceSession &source, const Window &window) {
    const Unsettled state = inquire(source, window);
    return state.reason.empty() ? "" : message(window) + "; " + state.reason;
}

SettledState settle_window(SourceSession &source, const TimeZone &zone, const Window &window, Settle settle,
                           bool refuses_unsettled) {
    if (settle == Settle::ignore) return {};
    if (settle == Settle::wait) {
        wait_until_settled(source, zone, window);
    } else {
        const Unsettled state = inquire(source, window);
        if (settle == Settle::error && !(state.reason.empty() && state.hidden.empty())) raise_unsettled(window, state);
        if (settle == Settle::warn) {
            if (!state.reason.empty() && refuses_unsettled) raise_unsettled(window, state);
            if (!state.reason.empty()) warn_unsettled(window, state);
            if (state.reason.empty() && !state.hidden.empty()) return {};
            return {.is_settled = state.reason.empty()};
        }
    }
    // A transaction that ended just before the query is not visible in the old snapshot.
    source.restart(zone);
    return {.is_settled = true, .has_restarted = true};
}

} // namespace pgci
