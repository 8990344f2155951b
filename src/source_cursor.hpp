// The rows of a query, batch by batch; the next batch is on its way while the caller works on this one.
#pragma once

#include "column_map.hpp"
#include "source_session.hpp"

namespace pgci {

// The DECLARE of the cursor, which selects what the source sends.
RemoteConnection::Statement declare_statement(const SourceQuery &query, const ColumnMap &map);

class SourceCursor {
  public:
    // Declares the cursor and asks for the first batch of up to `batch` rows.
    SourceCursor(SourceSession &source, const SourceQuery &query, const ColumnMap &map, int batch);

    // Receives the batch asked for, in binary format, and asks for the next one. Raises 08P01 when the source sends
    // other columns than described or another number of rows than it says.
    Result fetch();
    // Was the last batch the last one? Then the source's transaction is already being ended.
    bool at_end() const { return at_end_; }

  private:
    void check(const PGresult *batch) const;

    SourceSession &source_;
    const ColumnMap &map_;
    int batch_;
    RemoteConnection::Statement fetch_statement_;
    bool at_end_ = false;
};

} // namespace pgci
