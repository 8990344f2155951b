// From the cursor's rows to a batch: as many as the batch may have, or as fit its bound in bytes.
#pragma once

#include "ledger/rejects.hpp"
#include "rows/row_decoder.hpp"
#include "rows/source_cursor.hpp"

namespace pgci {

// GUC copy_incremental.max_batch_bytes: a batch takes no further row once it has so many bytes, and what is on its way
// from the source stays within it too.
extern int max_batch_bytes;

class BatchReader {
  public:
    // A batch has `rows` rows at most, and no further row where one as large as the last would bring it over `bound` bytes.
    BatchReader(SourceCursor &cursor, RowDecoder &decoder, int rows, std::int64_t bound)
        : cursor_(cursor), decoder_(decoder), most_rows_(rows), bound_(bound) {}

    // From now on rows that cannot be decoded are put aside.
    void put_aside(Rejects &rejects) noexcept { rejects_ = &rejects; }

    // Reads the next rows into the writer's batch; more of them are on their way when it returns. Raises what the
    // cursor and the decoder raise.
    void read(RowWriter &writer);

    // Of the batch read last.
    int rows() const { return rows_; }
    std::int64_t bytes() const { return bytes_; } // of values

  private:
    bool is_full() const { return rows_ >= most_rows_ || (rows_ > 0 && size_ + last_size_ > bound_); }
    void read_rows_at_hand(RowWriter &writer);
    void read_or_put_aside(RowWriter &writer);

    SourceCursor &cursor_;
    RowDecoder &decoder_;
    Rejects *rejects_ = nullptr;
    int most_rows_;
    std::int64_t bound_;
    int rows_ = 0;
    std::int64_t bytes_ = 0;
    std::int64_t size_ = 0;      // in memory, with what a row costs beside its values
    std::int64_t last_size_ = 0; // of the last row
};

} // namespace pgci
