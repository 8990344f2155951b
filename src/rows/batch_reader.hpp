// Reads a batch from the cursor, limited by the number of rows and by bytes.
#pragma once

#include "ledger/rejects.hpp"
#include "rows/row_decoder.hpp"
#include "rows/source_cursor.hpp"

namespace pgci {

// Parameter copy_incremental.max_batch_bytes: the limit in bytes of a batch, and of the data in transit from the
// source.
extern int max_batch_bytes;

class BatchReader {
  public:
    // A batch has at most `rows` rows. It ends earlier if another row of the size of the last one would exceed `bound`
    // bytes.
    BatchReader(SourceCursor &cursor, RowDecoder &decoder, int rows, std::int64_t bound)
        : cursor_(cursor), decoder_(decoder), most_rows_(rows), bound_(bound) {}

    // From now on, rows that cannot be decoded are recorded as rejects.
    void put_aside(Rejects &rejects) noexcept { rejects_ = &rejects; }

    // Reads the next rows into the batch and requests more before it returns. Raises the errors of the cursor and the
    // decoder.
    void read(Batch &batch);

    // Rows that were read last, including those put aside.
    int rows() const { return rows_; }
    std::int64_t bytes() const { return bytes_; } // bytes of its values

  private:
    bool is_full() const { return rows_ >= most_rows_ || (rows_ > 0 && size_ + last_size_ > bound_); }
    void read_rows_at_hand(Batch &batch);
    void read_or_put_aside(Batch &batch);

    SourceCursor &cursor_;
    RowDecoder &decoder_;
    Rejects *rejects_ = nullptr;
    int most_rows_;
    std::int64_t bound_;
    int rows_ = 0;
    std::int64_t bytes_ = 0;
    std::int64_t size_ = 0;      // bytes in memory, including the overhead of each row
    std::int64_t last_size_ = 0; // bytes of the last row
};

} // namespace pgci
