// A read-only transaction at the source, with one snapshot and with settings that give values the same meaning on both
// servers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connection/connection_keeper.hpp"
#include "connection/question.hpp"
#include "template/source_query.hpp"
#include "template/window.hpp"
#include "request/source_snapshot.hpp"

namespace pgci {

// Whether row-level security at the source may hide rows (superuser parameter copy_incremental.source_row_security). If
// it is off, a hidden row is an error.
extern bool source_row_security;

// A result column as described by the source.
struct SourceColumn {
    std::string name;
    Oid type = InvalidOid;
    int typmod = -1;
    Oid table = InvalidOid;    // OID at the source; 0 for an expression
    int number = 0;            // attribute number in the table
    bool is_text_only = false; // this server would read its binary form as another value
    bool is_left_out = false;  // the target does not have it, and the run goes on without it
};

// Returns the table of the columns; 0 if none comes from a table, or if they come from several.
Oid only_table(const std::vector<SourceColumn> &columns);

// What is sent together with the begin of the transaction, because each round trip takes time.
struct Opening {
    std::vector<Question> questions{};
    const SourceQuery *query = nullptr; // the one that describe() is called for first
    WaitObserver observer{};            // of the wait for a connection
    SourceSnapshot snapshot{};          // the one to read; if there is none, a new one
    ConnectionUse use = ConnectionUse::reads;
};

class SourceSession {
  public:
    // Connects and begins a REPEATABLE READ READ ONLY transaction with `zone` as TimeZone. All settings are local to
    // the transaction, so a pooler in transaction mode is possible. Uses a connection of an earlier run if the keeper has
    // one. Raises PI004 if the source does not have the snapshot of the opening, or has another one of that name.
    SourceSession(const ConnectionOptions &options, const TimeZone &zone, ConnectionKeeper &keeper,
                  const Opening &opening = {});

    // Gives the connection to the keeper. Call it after the end of the transaction; the session is not usable afterwards.
    void give_back(ConnectionKeeper &keeper, const ConnectionOptions &options) {
        keeper.keep(std::move(connection_), options);
    }

    // Begins a new transaction, which sees later commits, unless it reads a snapshot of the opening. `query`: describe() is
    // called for it next.
    void restart(const TimeZone &zone, const SourceQuery *query = nullptr);

    // When the snapshot was taken, by the clock of this server: a moment before.
    TimestampTz snapshot_at() const { return snapshot_at_; }

    // Lets other transactions read the snapshot of this one, as long as this one lasts. Raises 08P01 for a name that no
    // PostgreSQL server gives, and the source's errors.
    SourceSnapshot export_snapshot();

    // The answers to the questions of the opening.
    const std::vector<Answer> &opening_answers() const { return opening_answers_; }

    // Prepares and describes the query as it is, before it becomes a part of another statement. Returns its result
    // columns. Raises 42804 for a statement without result columns, and the source's errors.
    std::vector<SourceColumn> describe(const SourceQuery &query);

    // The types that the source has assigned to the parameters of the last described query.
    const std::vector<Oid> &parameter_types() const { return parameter_types_; }

    // Returns whether the source is the current database of this server.
    bool is_this_database() const { return is_this_database_; }

    // Ends the transaction without waiting for the answer. After that, there is nothing to cancel.
    void send_commit();
    void receive_commit();

    RemoteConnection &connection() { return *connection_; }

  private:
    void begin(const TimeZone &zone, const Opening &opening);
    Question settings(const TimeZone &zone) const;
    void receive_snapshot();
    void send_begin(const Question &settings);
    void receive_begin(const Question &settings);
    void send_description(const SourceQuery *query);
    void check_name(const char *name);

    std::unique_ptr<RemoteConnection> connection_;
    SourceSnapshot snapshot_;
    ConnectionUse use_;
    bool is_this_database_ = false;
    TimestampTz snapshot_at_ = 0;
    std::vector<Answer> opening_answers_{};
    const SourceQuery *sent_query_ = nullptr; // its description was asked for, and has not been received
    std::vector<Oid> parameter_types_{};
};

} // namespace pgci
