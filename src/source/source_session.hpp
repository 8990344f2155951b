// A read-only transaction at the source: one snapshot, settings that make values mean the same on both sides.
#pragma once

#include <string>
#include <vector>

#include "connection/remote_connection.hpp"
#include "template/source_query.hpp"
#include "template/window.hpp"

namespace pgci {

// May the source's row security hide rows from the run? A superuser's setting (GUC
// copy_incremental.source_row_security); off means that a hidden row is an error.
extern bool source_row_security;

// A column of the query's result, as the source describes it.
struct SourceColumn {
    std::string name;
    Oid type = InvalidOid;
    int typmod = -1;
    Oid table = InvalidOid; // at the source; 0 for an expression
    int number = 0;         // of the table's column
};

class SourceSession {
  public:
    // Connects and begins REPEATABLE READ, READ ONLY; the zone becomes the session's TimeZone. All settings are local
    // to the transaction, so that a pooler in transaction mode may stand between. It lasts no longer than `memory`.
    SourceSession(const ConnectionOptions &options, const TimeZone &zone, MemoryContext memory);

    // Begins the transaction anew, to see what was committed since.
    void restart(const TimeZone &zone);

    // The result columns of a query, which is prepared and described alone, before anything is wrapped around it.
    // Raises 42804 for a statement without result columns, and the source's errors.
    std::vector<SourceColumn> describe(const SourceQuery &query);

    // The types that the source gave to the parameters of the query described last.
    const std::vector<Oid> &parameter_types() const { return parameter_types_; }

    // The schema and name of a table of the source.
    struct TableName {
        std::string schema;
        std::string relation;
    };
    TableName table_name(Oid table);

    // The names of the columns' types at the source, with their modifiers.
    std::vector<std::string> type_names(const std::vector<SourceColumn> &columns);

    // Is the source this very database of this very server?
    bool is_this_database() const { return is_this_database_; }

    // Ends the transaction, without waiting for the answer. Nothing is left to cancel then.
    void send_commit();
    void receive_commit();

    RemoteConnection &connection() { return connection_; }

  private:
    void begin(const TimeZone &zone);
    void check_name(const char *name);

    RemoteConnection connection_;
    bool is_this_database_ = false;
    std::vector<Oid> parameter_types_{};
};

} // namespace pgci
