// Receives the rows of a query one by one, with as many FETCHes in flight as the network needs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "source/source_session.hpp"
#include "target/column_map.hpp"
#include "rows/throttle.hpp"

namespace pgci {

// Decides the number of rows of a FETCH, how libpq keeps them, and how many are requested ahead of time.
//
// With one FETCH in flight, each round trip returns the rows of one FETCH at most. Therefore, as long as rows have to be
// waited for, more are requested. The rows in flight stay within the limit in bytes, and at first within about twice the number
// of rows received so far, because the result may end soon.
//
// libpq is fastest if it keeps many rows in one result, whose size in bytes nobody knows before it has arrived. The first
// rows are therefore received one by one. Then results get as many rows as are small together, judged by the widest rows
// so far. If libpq cannot return a result in chunks, each result is that of a FETCH of so many rows.
class FetchAhead {
  public:
    using Rows = RemoteConnection::Rows;

    // At most `batch` rows in a FETCH, and about `bound` bytes both in a FETCH and in flight.
    FetchAhead(int batch, std::int64_t bound) : batch_(batch), bound_(bound), rows_(batch), ahead_(first_ahead()) {}

    struct Fetch {
        int rows = 0;
        bool shares_sync = false; // with later ones, because each Sync costs both servers time
        bool has_sync = true;
    };
    // The next FETCH to send, with so many rows in flight.
    Fetch next(std::int64_t in_flight) const {
        if (arrived_ == 0 && in_flight == 0) return {std::min(first_rows, batch_), false};
        const bool is_whole = keeps_together() && !RemoteConnection::can_receive_chunks();
        return {is_whole ? std::min(chunk_, batch_) : rows_, is_whole};
    }
    // How to receive a FETCH of so many rows that was sent.
    Rows kept(int rows) const {
        if (keeps_together() && RemoteConnection::can_receive_chunks()) return Rows::in_chunks;
        return keeps_together() && rows <= chunk_ ? Rows::whole_result : Rows::one_by_one;
    }
    // The most rows of a chunk.
    int chunk() const { return chunk_; }
    // The number of rows to have in flight.
    std::int64_t ahead() const { return ahead_; }
    static constexpr std::size_t most_fetches() { return 512; }

    // A FETCH has returned all its rows: of `bytes` bytes, the widest of `widest`. `had_to_wait`: the rows had not
    // arrived when they were needed.
    void learn(int rows, std::int64_t bytes, std::int64_t widest, bool had_to_wait) {
        if (rows == 0) return;
        arrived_ += rows;
        widest_ = std::max({widest, widest_ * 7 / 8, std::int64_t{1}});
        chunk_ = static_cast<int>(std::min(most_chunk, chunk_bytes / widest_));
        const std::int64_t fitting = std::max<std::int64_t>(bound_ / std::max<std::int64_t>(bytes / rows, 1), 1);
        rows_ = static_cast<int>(std::min({fitting, std::int64_t{rows_} * 2, std::int64_t{batch_}}));
        if (had_to_wait) ahead_ *= 2;
        const std::int64_t most_rows = static_cast<std::int64_t>(most_fetches()) * next(1).rows;
        ahead_ = std::min({ahead_, fitting, 2 * arrived_ + first_ahead(), most_rows});
    }

  private:
    static constexpr std::int64_t chunk_bytes = 65536;
    static constexpr std::int64_t most_chunk = 200;
    static constexpr int least_chunk = 8;
    static constexpr int first_rows = 200;

    // A FETCH that returns no row costs the source little.
    std::int64_t first_ahead() const { return 8 * std::int64_t{batch_}; }
    bool keeps_together() const { return chunk_ >= least_chunk; }

    int batch_;
    std::int64_t bound_;
    int rows_;                 // of a FETCH whose rows are received one by one or in chunks
    std::int64_t ahead_;       // rows in flight
    int chunk_ = 0;            // rows of a result
    std::int64_t widest_ = 0;  // bytes of a row; narrow rows make it smaller again
    std::int64_t arrived_ = 0; // number of rows
};

// Returns the DECLARE of the cursor, which selects the columns in the format of the map.
RemoteConnection::Statement declare_statement(const SourceQuery &query, const ColumnMap &map);

class SourceCursor {
  public:
    // Declares the cursor and requests the first rows, in binary format: at most `batch` rows in a FETCH, and about
    // `bound` bytes. `estimates`: the source also estimates the number of rows, for the progress of the run. All FETCHes wait for
    // the throttle.
    SourceCursor(SourceSession &source, const SourceQuery &query, const ColumnMap &map, int batch, std::int64_t bound,
                 bool estimates, Throttle &throttle);

    // The source's estimate of the number of rows; 0 if it is not known.
    std::int64_t estimated_rows() const { return estimated_rows_; }

    // Returns the next row if it has arrived. PostgreSQL code: it neither waits nor throws. The row is valid until the
    // next call of any function.
    RemoteConnection::Row row_at_hand() noexcept;
    // Waits until a row has arrived, and requests more. Returns false if all rows were received; the source has then
    // been told to end the transaction. Raises 08P01 if the source sends other columns than described, or another
    // number of rows than it reports.
    bool await_row();
    // Requests more rows now, if a FETCH has returned all its rows.
    void ask_ahead();
    // Frees the rows that were returned.
    void release_rows() noexcept { connection().release_rows(); }
    // Reports the size in bytes of the last returned row's values.
    void add_bytes(std::int64_t bytes) noexcept {
        bytes_ += bytes;
        widest_ = std::max(widest_, bytes);
    }
    bool at_end() const { return at_end_; }
    // Receives the end of the transaction at the source, after all rows.
    void finish();

  private:
    void send_fetches();
    bool may_send(int rows);
    void begin_fetch();
    void end_fetch(const PGresult *end);
    void check_columns(const PGresult *result) const;
    RemoteConnection &connection() const { return source_.connection(); }

    SourceSession &source_;
    const ColumnMap &map_;
    FetchAhead ahead_;
    Throttle &throttle_;
    std::int64_t estimated_rows_ = 0;
    RemoteConnection::Statement fetch_{.sql = "", .binary_result = true}; // the last that was sent
    std::deque<FetchAhead::Fetch> asked_{};                               // in flight
    std::int64_t asked_rows_ = 0;                                         // their rows
    // Of the FETCH that is being received:
    int rows_ = 0;
    FetchAhead::Rows kept_ = FetchAhead::Rows::one_by_one;
    std::int64_t bytes_ = 0;
    std::int64_t widest_ = 0;
    std::int64_t waits_before_ = 0;
    bool is_checked_ = false; // its columns were checked
    bool at_end_ = false;
};

} // namespace pgci
