#include "source/settled_window.hpp"

#include <algorithm>
#include <set>
#include <sstream>

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "connection/interruptible_wait.hpp"
#include "connection/question.hpp"

namespace pgci {

namespace {

// Returns one row: why the window is not settled, or NULL; and the transactions of which the role may not see since when they
// are open, or of which nobody can (prepared transactions).
//
// A transaction that has not written yet may do so, and stamp its rows with the time of its start. pg_stat_activity hides the
// transactions of other roles, pg_locks does not: each transaction has a lock on its virtual transaction ID. A session that is
// visible and has no xact_start has ended its transaction in the meantime. Processes without a user do not write rows of users;
// walsenders, pg_dump and the extension's own sessions only read. Any session can have such a name, but not if it has written.
constexpr const char *inquiry = R"(SELECT CASE
  WHEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.<) $1::pg_catalog.timestamptz
  THEN 'The source''s clock shows '
       OPERATOR(pg_catalog.||) pg_catalog.clock_timestamp()::pg_catalog.timestamptz(0)::pg_catalog.text
       OPERATOR(pg_catalog.||) '.'
  WHEN pg_catalog.pg_is_in_recovery() AND coalesce(pg_catalog.pg_last_xact_replay_timestamp()
       OPERATOR(pg_catalog.<) $1::pg_catalog.timestamptz, true)
  THEN 'The source is a standby that has replayed transactions up to ' OPERATOR(pg_catalog.||)
       coalesce(pg_catalog.pg_last_xact_replay_timestamp()::pg_catalog.timestamptz(0)::pg_catalog.text, 'none')
       OPERATOR(pg_catalog.||) '.'
  WHEN pg_catalog.min(began) OPERATOR(pg_catalog.<) $1::pg_catalog.timestamptz
  THEN CASE WHEN pg_catalog.bool_or(has_written AND began OPERATOR(pg_catalog.<) $1::pg_catalog.timestamptz)
       THEN 'A transaction that has written at the source is open since '
       ELSE 'A transaction at the source, which may still write, is open since ' END
       OPERATOR(pg_catalog.||) pg_catalog.min(began)::pg_catalog.timestamptz(0)::pg_catalog.text
       OPERATOR(pg_catalog.||) '.'
  END,
  pg_catalog.string_agg(id, ' ') FILTER (WHERE began IS NULL)
FROM (
  SELECT l.virtualtransaction, a.backend_xid IS NOT NULL, a.xact_start
    FROM pg_catalog.pg_stat_activity AS a
    JOIN pg_catalog.pg_locks AS l ON l.pid OPERATOR(pg_catalog.=) a.pid
   WHERE l.locktype OPERATOR(pg_catalog.=) 'virtualxid' AND l.mode OPERATOR(pg_catalog.=) 'ExclusiveLock' AND l.granted
     AND a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() AND a.usesysid IS NOT NULL
     AND a.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid() AND (a.xact_start IS NOT NULL OR a.state IS NULL)
     AND (a.backend_xid IS NOT NULL
          OR a.application_name OPERATOR(pg_catalog.<>) ALL ('{pg_dump,copy_incremental}'::pg_catalog.text[]))
     AND coalesce(a.backend_type OPERATOR(pg_catalog.<>) 'walsender', true)
  UNION ALL
  SELECT transaction::pg_catalog.text, true,
         CASE WHEN prepared OPERATOR(pg_catalog.<) $1::pg_catalog.timestamptz THEN prepared END
    FROM pg_catalog.pg_prepared_xacts WHERE database OPERATOR(pg_catalog.=) pg_catalog.current_database()
) AS open_transactions(id, has_written, began))";

struct Unsettled {
    std::string reason{};           // empty: settled, as far as visible
    std::set<std::string> hidden{}; // transactions whose start is not visible
};

Unsettled read_unsettled(const Answer &answer) {
    Unsettled state{.reason = sanitize(answer.optional_text(0, 0).value_or("").c_str(), 200)};
    std::istringstream hidden(answer.optional_text(0, 1).value_or(""));
    for (std::string id; hidden >> id;) {
        if (id.size() > 30 || id.find_first_not_of("0123456789/") != std::string::npos)
            answer.raise_wrong("no number of a transaction");
        state.hidden.insert(id);
    }
    return state;
}

Unsettled inquire(SourceSession &source, const Window &window) {
    return read_unsettled(ask(source.connection(), settled_question(window)));
}

std::string message(const std::string &window) {
    return window + " is not settled: the source may still commit rows of it";
}

constexpr const char *hint = "Load it later or again, or pass settle => 'wait'; 'off' does not look.";

std::string message_of_doubt(const std::string &window) {
    return "it is not known whether " + window + " is settled: the source may still commit rows of it";
}

constexpr const char *hint_of_doubt = "GRANT pg_read_all_stats to the source's role, so that it sees when transactions "
                                      "began; or pass settle => 'wait'; 'off' does not look.";

void warn(const std::string &text, const std::string &detail, const char *what_to_do) {
    pg_call([&] {
        ereport(WARNING, (errcode(sqlstate::not_settled.packed()), errmsg_internal("%s", text.c_str()),
                          errdetail_internal("%s", detail.c_str()), errhint("%s", what_to_do)));
    });
}

// Two seconds, in which most transactions end.
constexpr int most_looks_at_hidden = 12;

} // namespace

Question settled_question(const Window &window) {
    return {.kind = "the question about open transactions",
            .statement = RemoteConnection::Statement{.sql = inquiry, .parameters = {window.text().end}},
            .columns = 2,
            .most_bytes = 4 << 20, // one value for each possible backend
            .nullable = {0, 1}};
}

std::string unsettled_warning(SourceSession &source, const Window &window) {
    const Unsettled state = inquire(source, window);
    return state.reason.empty() ? "" : message("window " + window.name()) + "; " + state.reason;
}

void warn_of_doubt(const std::string &window, const std::string &doubt) {
    warn(message_of_doubt(window), doubt, hint_of_doubt);
}

SettledState settle_window(SourceSession &source, const TimeZone &zone, const Window &window, const std::string &name,
                           Settle settle, bool refuses_unsettled, const Answer *first) {
    if (settle == Settle::off) return {};
    const bool is_error = settle == Settle::error || (settle == Settle::warn && refuses_unsettled);
    // Of transactions whose start is hidden, those matter that are open when it is known that the window has ended.
    std::optional<std::set<std::string>> to_end;
    for (int looks = 1;; ++looks) {
        Unsettled state = looks == 1 && first != nullptr ? read_unsettled(*first) : inquire(source, window);
        // Since the first answer, the run may have waited for another one.
        if (looks == 1 && first != nullptr && !state.reason.empty()) state = inquire(source, window);
        if (state.reason.empty()) {
            if (!to_end) to_end = state.hidden;
            std::erase_if(*to_end, [&](const std::string &id) { return !state.hidden.contains(id); });
            if (to_end->empty()) return {.is_settled = true};
        }
        if (settle != Settle::wait && !state.reason.empty()) {
            if (is_error) raise(sqlstate::not_settled, message(name), hint, state.reason);
            warn(message(name), state.reason, hint);
            return {.is_settled = false};
        }
        if (settle != Settle::wait && looks == most_looks_at_hidden) {
            const std::string doubt =
                "Transactions are open at the source, and its role may not see since when, or they are prepared.";
            if (is_error) raise(sqlstate::not_settled, message_of_doubt(name), hint_of_doubt, doubt);
            return {.is_settled = false, .doubt = doubt};
        }
        // Most transactions end within milliseconds.
        wait_milliseconds(std::min(250, 5 << std::min(looks, 10)));
        source.restart(zone);
    }
}

} // namespace pgci
