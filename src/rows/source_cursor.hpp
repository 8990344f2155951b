// The rows of a query, one by one as they arrive; as many FETCHes are on their way as the network asks for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "source/source_session.hpp"
#include "target/column_map.hpp"

namespace pgci {

// How many rows a FETCH asks for, and how many FETCHes are asked for ahead of the rows. Rows that are wide make a FETCH
// smaller, and narrow ones let it grow again. One FETCH in flight caps the rate at its rows a round trip, so as long as
// rows have to be waited for, more FETCHes are asked for ahead, as far as what is in flight stays within the bound, and is
// no more than twice what has arrived: the rows may be about to end.
class FetchAhead {
  public:
    // `batch` rows at most, and about `bound` bytes at most, for one FETCH as for all that are in flight.
    FetchAhead(int batch, std::int64_t bound, bool in_pipeline)
        : batch_(batch), bound_(bound), rows_(batch), depth_(in_pipeline ? least_depth : 1), in_pipeline_(in_pipeline) {
    }

    // Rows to ask for in the next FETCH.
    int rows() const { return rows_; }
    // How many FETCHes to have in flight, the one that is being received included.
    int depth() const { return depth_; }

    // A FETCH has brought all its rows, of so many bytes; `had_to_wait`: they were not there when they were wanted.
    void learn(int rows, std::int64_t bytes, bool had_to_wait) {
        if (rows == 0) return;
        const std::int64_t width = std::max<std::int64_t>(bytes / rows, 1);
        const std::int64_t fitting = std::max<std::int64_t>(bound_ / width, 1);
        rows_ = static_cast<int>(std::min({fitting, std::int64_t{rows_} * 2, std::int64_t{batch_}}));
        if (!in_pipeline_) return;
        ++arrived_;
        const std::int64_t sensible = std::min(fitting / rows_, 2 * arrived_ + least_depth);
        const int most = static_cast<int>(std::clamp<std::int64_t>(sensible, least_depth, most_depth));
        depth_ = std::min(had_to_wait ? depth_ * 2 : depth_, most);
    }

  private:
    static constexpr int least_depth = 2;
    static constexpr int most_depth = 512;

    int batch_;
    std::int64_t bound_;
    int rows_;
    int depth_;
    bool in_pipeline_;
    std::int64_t arrived_ = 0; // FETCHes
};

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
