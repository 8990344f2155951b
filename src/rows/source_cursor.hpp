// Receives the rows of a query one by one, with as many FETCHes in flight as the network needs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "source/source_session.hpp"
#include "target/column_map.hpp"

namespace pgci {

// Decides the number of rows of a FETCH, and the number of FETCHes in flight. Wide rows make a FETCH smaller, and
// narrow rows let it grow again. With one FETCH in flight, each round trip returns the rows of one FETCH at most.
// Therefore, as long as rows have to be waited for, more FETCHes are sent ahead. The data in flight stays within the
// limit in bytes, and within twice the number of FETCHes received so far, because the result may end soon.
class FetchAhead {
  public:
    // At most `batch` rows in a FETCH, and about `bound` bytes both in a FETCH and in flight.
    FetchAhead(int batch, std::int64_t bound, bool in_pipeline)
        : batch_(batch), bound_(bound), rows_(batch), depth_(in_pipeline ? least_depth : 1), in_pipeline_(in_pipeline) {
    }

    // The number of rows of the next FETCH.
    int rows() const { return rows_; }
    // The number of FETCHes in flight, including the one that is being received.
    int depth() const { return depth_; }

    // A FETCH has returned all its rows, of `bytes` bytes. `had_to_wait`: the rows had not arrived when they were
    // needed.
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
    std::int64_t arrived_ = 0; // number of FETCHes
};

// Returns the DECLARE of the cursor, which selects the columns in the format of the map.
RemoteConnection::Statement declare_statement(const SourceQuery &query, const ColumnMap &map);

class SourceCursor {
  public:
    // Declares the cursor and requests the first rows, in binary format: at most `batch` rows in a FETCH, and about
    // `bound` bytes.
    SourceCursor(SourceSession &source, const SourceQuery &query, const ColumnMap &map, int batch, std::int64_t bound);

    // Returns the next row if it has arrived, else null. PostgreSQL code: it neither waits nor throws. The row is valid
    // until the next call of any function.
    const PGresult *row_at_hand() noexcept;
    // Waits until a row has arrived, and requests more. Returns false if all rows were received; the source has then
    // been told to end the transaction. Raises 08P01 if the source sends other columns than described, or another
    // number of rows than it reports.
    bool await_row();
    // Requests more rows now, if a FETCH has returned all its rows.
    void ask_ahead();
    // Frees the last returned row.
    void release_row() noexcept { connection().release_row(); }
    // Reports the size in bytes of the last returned row's values.
    void add_bytes(std::int64_t bytes) noexcept { bytes_ += bytes; }
    bool at_end() const { return at_end_; }
    // Receives the end of the transaction at the source, after all rows.
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
    // Of the FETCH that is being received:
    int rows_ = 0;
    std::int64_t bytes_ = 0;
    std::int64_t waits_before_ = 0;
    bool is_checked_ = false; // its columns were checked
    bool at_end_ = false;
};

} // namespace pgci
