#include "source/settled_window.hpp"

#include <algorithm>

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "server/sql_text.hpp"
#include "connection/interruptible_wait.hpp"
#include "connection/question.hpp"
#include "source/open_transactions.hpp"
#include "source/source_names.hpp"

namespace pgci {

namespace {

// Finds a foreign table among the relations of $2, their partitions and the relations that views read.
constexpr const char *foreign_table = R"((WITH RECURSIVE relations(oid) AS (
  SELECT pg_catalog.to_regclass(name)::pg_catalog.oid FROM pg_catalog.unnest($2::pg_catalog.text[]) AS u(name)
  UNION
  SELECT next.oid FROM relations AS r, LATERAL (
    SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent OPERATOR(pg_catalog.=) r.oid
    UNION ALL
    SELECT d.refobjid FROM pg_catalog.pg_rewrite AS w
      JOIN pg_catalog.pg_depend AS d ON d.objid OPERATOR(pg_catalog.=) w.oid
     WHERE w.ev_class OPERATOR(pg_catalog.=) r.oid AND w.rulename OPERATOR(pg_catalog.=) '_RETURN'
       AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
       AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass) AS next(oid))
 SELECT pg_catalog.min(pg_catalog.format('%I.%I', n.nspname, c.relname)) FROM relations AS r
   JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) r.oid
   JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
  WHERE c.relkind OPERATOR(pg_catalog.=) 'f'))";

// Returns one row: why the window is not settled, or NULL; the transactions of which the role may not see since when they are
// open, or of which nobody can (prepared transactions); and a foreign table, or NULL. A transaction that has not written yet may
// do so, and stamp its rows with the time of its start. The clock is read before the transactions are: one that begins in between
// begins after the window.
std::string inquiry() {
    return std::string(R"(SELECT CASE
  WHEN pg_catalog.statement_timestamp() OPERATOR(pg_catalog.<) $1::pg_catalog.timestamptz
  THEN 'The source''s clock shows '
       OPERATOR(pg_catalog.||) pg_catalog.statement_timestamp()::pg_catalog.timestamptz(0)::pg_catalog.text
       OPERATOR(pg_catalog.||) '.'
  WHEN pg_catalog.pg_is_in_recovery() AND coalesce(pg_catalog.pg_last_xact_replay_timestamp()
       OPERATOR(pg_catalog.<) $1::pg_catalog.timestamptz, true)
  THEN 'The source is a standby that has replayed transactions up to ' OPERATOR(pg_catalog.||)
       coalesce(pg_catalog.pg_last_xact_replay_timestamp()::pg_catalog.timestamptz(0)::pg_catalog.text, 'none')
       OPERATOR(pg_catalog.||) '.'
  WHEN pg_catalog.min(since) OPERATOR(pg_catalog.<) $1::pg_catalog.timestamptz
  THEN CASE WHEN pg_catalog.bool_or(has_written AND since OPERATOR(pg_catalog.<) $1::pg_catalog.timestamptz)
       THEN 'A transaction that has written at the source is open since '
       ELSE 'A transaction at the source, which may still write, is open since ' END
       OPERATOR(pg_catalog.||) pg_catalog.min(since)::pg_catalog.timestamptz(0)::pg_catalog.text
       OPERATOR(pg_catalog.||) '.'
  END,
  pg_catalog.string_agg(id, ' ') FILTER (WHERE since IS NULL), )") +
           foreign_table + R"( FROM (SELECT id, has_written,
             coalesce(began, CASE WHEN prepared OPERATOR(pg_catalog.<) $1::pg_catalog.timestamptz THEN prepared END)
        FROM )" +
           open_transactions + ") AS seen(id, has_written, since)";
}

// What a look at the source shows.
struct Look {
    std::string reason{}; // why the window is not settled; empty: it is once these transactions have ended
    std::set<std::string> awaited{};
    std::string foreign_table{}; // whose own server has transactions that the source does not show; empty: none
};

Look read_look(const Answer &answer) {
    return {.reason = sanitize(answer.optional_text(0, 0).value_or("").c_str(), 200),
            .awaited = read_transactions(answer, answer.optional_text(0, 1).value_or("")),
            .foreign_table = sanitize(answer.optional_text(0, 2).value_or("").c_str(), 2 * NAMEDATALEN)};
}

Look inquire(SourceSession &source, const Window &window, const SourceQuery &query) {
    return read_look(ask(source.connection(), settled_question(window, query)));
}

Doubt doubt_of(const Look &look) {
    if (look.foreign_table.empty()) return {};
    return {.detail = look.foreign_table + " of the source is a foreign table. Which transactions are open at its own "
                                           "server is not visible at the source.",
            .hint = "Read from that server; or pass settle => 'off', and to a job a lag in which transactions end."};
}

Look inquire_ids(SourceIds &ids, const Window &window) {
    const std::optional<IdExtent> extent = ids.extent();
    if (!extent) return {.reason = "The source has no rows."};
    if (extent->highest < window.end() - 1)
        return {.reason = "The highest id at the source is " + std::to_string(extent->highest) + "."};
    if (extent->highest_given() < window.end() - 1)
        return {.reason = "Its sequence has not given the last id of the window."};
    return {.awaited = ids.open_transactions()};
}

std::string message(const std::string &window) {
    return window + " is not settled: the source may still commit rows of it";
}

constexpr const char *hint = "Load it later or again, or pass settle => 'wait'; 'off' does not look.";

std::string message_of_doubt(const std::string &window) {
    return "it is not known whether " + window + " is settled: the source may still commit rows of it";
}

void warn(const std::string &text, const std::string &detail, const std::string &what_to_do) {
    pg_call([&] {
        ereport(WARNING, (errcode(sqlstate::not_settled.packed()), errmsg_internal("%s", text.c_str()),
                          errdetail_internal("%s", detail.c_str()), errhint("%s", what_to_do.c_str())));
    });
}

struct Policy {
    Settle settle;
    bool is_error;
    const std::string &name;

    SettledState end_unsettled(const std::string &reason) const {
        if (is_error) raise(sqlstate::not_settled, message(name), hint, reason);
        warn(message(name), reason, hint);
        return {.is_settled = false};
    }
    SettledState end_in_doubt(const Doubt &doubt) const {
        if (is_error) raise_doubt(name, doubt);
        return {.is_settled = false, .doubt = doubt};
    }
    // Where nothing can be waited for.
    SettledState end_without_wait(const Doubt &doubt) const {
        if (settle == Settle::wait) raise_doubt(name, doubt);
        return end_in_doubt(doubt);
    }
};

Policy policy_of(Settle settle, bool refuses_unsettled, const std::string &name) {
    return {settle, settle == Settle::error || (settle == Settle::warn && refuses_unsettled), name};
}

// Looks until the transactions have ended that were open when nothing else was in the way. Each look must be the first one of a
// transaction at the source, because pg_stat_activity shows the same sessions until that ends. `last` ends a short wait.
template <class Inquire, class Last> SettledState settle(const Policy &policy, Inquire &&inquire, Last &&last) {
    std::optional<AwaitedTransactions> awaited;
    for (int looks = 1;; ++looks) {
        const Look look = inquire();
        if (const Doubt doubt = doubt_of(look); !doubt.detail.empty()) return policy.end_without_wait(doubt);
        if (look.reason.empty()) {
            if (awaited)
                awaited->look(look.awaited);
            else
                awaited.emplace(look.awaited);
            if (awaited->have_ended()) return {.is_settled = true};
        }
        if (policy.settle != Settle::wait && !look.reason.empty()) return policy.end_unsettled(look.reason);
        if (policy.settle != Settle::wait && looks == most_short_looks) return last();
        rest_between_looks(looks);
    }
}

} // namespace

void rest_between_looks(int looks) { wait_milliseconds(std::min(250, 5 << std::min(looks, 10))); }

Question settled_question(const Window &window, const SourceQuery &query) {
    return {.kind = "the question about open transactions",
            .statement =
                RemoteConnection::Statement{.sql = inquiry(),
                                            .parameters = {window.text().end, array_literal(relation_names(query))}},
            .columns = 3,
            .most_bytes = 4 << 20, // one value for each possible backend
            .nullable = {0, 1, 2}};
}

std::string unsettled_warning(SourceSession &source, const Window &window, const SourceQuery &query) {
    const Look look = inquire(source, window, query);
    if (const Doubt doubt = doubt_of(look); !doubt.detail.empty())
        return message_of_doubt("window " + window.name()) + "; " + doubt.detail + " " + doubt.hint;
    return look.reason.empty() ? "" : message("window " + window.name()) + "; " + look.reason;
}

Doubt doubt_of(SourceSession &source, const Window &window, const SourceQuery &query) {
    return doubt_of(inquire(source, window, query));
}

void warn_of_doubt(const std::string &window, const Doubt &doubt) {
    warn(message_of_doubt(window), doubt.detail, doubt.hint);
}

void raise_doubt(const std::string &name, const Doubt &doubt) {
    raise(sqlstate::not_settled, message_of_doubt(name), doubt.hint, doubt.detail);
}

SettledState settle_window(SourceSession &source, const TimeZone &zone, const SourceQuery &query, const Window &window,
                           const std::string &name, Settle settle, bool refuses_unsettled, const Answer *first) {
    if (settle == Settle::off) return {};
    const Policy policy = policy_of(settle, refuses_unsettled, name);
    const auto look = [&] {
        if (const Answer *const answer = std::exchange(first, nullptr))
            // Since the first answer, the run may have waited for another one.
            if (Look found = read_look(*answer); found.reason.empty()) return found;
        source.restart(zone);
        return inquire(source, window, query);
    };
    return pgci::settle(policy, look, [&] {
        return policy.end_in_doubt(
            {.detail =
                 "Transactions are open at the source, and its role may not see since when, or they are prepared.",
             .hint = "GRANT pg_read_all_stats to the source's role, so that it sees when transactions began; or pass "
                     "settle => 'wait'; 'off' does not look."});
    });
}

Doubt doubt_of(const SourceIds &ids) {
    std::string hint =
        "If later transactions always have higher ids, pass settle => 'off' to the job, and a lag in which "
        "transactions end.";
    if (const std::optional<IdSequence> &sequence = ids.sequence(); sequence && !sequence->shows_last_value)
        hint.insert(0, "GRANT SELECT ON SEQUENCE " + sequence->name + " TO the source's role. ");
    return {.detail = ids.doubt(), .hint = std::move(hint)};
}

SettledState settle_ids(SourceIds &ids, const Window &window, const std::string &name, Settle settle,
                        bool refuses_unsettled) {
    if (settle == Settle::off) {
        const std::optional<IdExtent> extent = ids.extent();
        return extent && extent->highest >= window.end() - 1 ? SettledState{} : SettledState{.is_settled = false};
    }
    const Policy policy = policy_of(settle, refuses_unsettled, name);
    if (!ids.doubt().empty()) return policy.end_without_wait(doubt_of(ids));
    auto look = [&, is_first = true]() mutable {
        if (!std::exchange(is_first, false)) ids.source().restart(ids.zone());
        return inquire_ids(ids, window);
    };
    return pgci::settle(policy, look, [&] {
        return policy.end_unsettled("Transactions that may have taken an id of the window are open at the source.");
    });
}

} // namespace pgci
