// The rows of a query, one by one as they arrive; as many FETCHes are on their way as the network asks for.
#pragma once

#include <deque>

#include "source/source_session.hpp"
#include "target/column_map.hpp"
#include "rows/fetch_ahead.hpp"

namespace pgci {

// The DECLARE of the cursor, which selects what the source sends.
RemoteConnection::Statement declare_statement(const SourceQuery &query, const ColumnMap &map);

class SourceCursor {
  public:
    // Declares the cursor and asks for the first rows, in binary format: `batch` of a FETCH at most, and about
    // `bound` bytes.
    SourceCursor(SourceSession &source, const SourceQuery &query, const ColumnMap &map, int batch, std::int64_t bound);

    // The next row if it is here, else null: PostgreSQL code, which neither waits nor throws. It lives until the next
    // call of any function.
    const PGresult *row_at_hand() noexcept;
    // Waits until a row is at hand, and asks for more; false when all rows were received. Then the source's
    // transaction is already being ended. Raises 08P01 when the source sends other columns than described or another
    // number of rows than it says.
    bool await_row();
    // Asks for more rows now, if a FETCH has brought all that it asked for.
    void ask_ahead();
    // Frees the row given out last.
    void release_row() noexcept { connection().release_row(); }
    // The row given out last had values of so many bytes.
    void add_bytes(std::int64_t bytes) noexcept { bytes_ += bytes; }
    bool at_end() const { return at_end_; }
    // Receives the end of the source's transaction, when all rows were received.
    void finish();

  private:
    void send_fetches();
    void begin_fetch();
    void end_fetch(const PGresult *end);
    void check_columns(const PGresult *result) const;
    RemoteConnection &connection() const { return source_.connection(); }

    SourceSession &source_;
    const ColumnMap &map_;
    FetchAhead ahead_;
    RemoteConnection::Statement fetch_{.sql = "", .binary_result = true};
    std::deque<int> asked_{}; // rows of each FETCH in flight
    // Of the FETCH that is being received.
    int rows_ = 0;
    std::int64_t bytes_ = 0;
    std::int64_t waits_before_ = 0;
    bool is_checked_ = false; // its columns
    bool at_end_ = false;
};

} // namespace pgci
