// Wire bytes of the source to rows of a batch, by the types' own receive and input functions.
#pragma once

#include <libpq-fe.h>

#include "batch.hpp"
#include "column_map.hpp"

namespace pgci {

class RowDecoder {
  public:
    // Looks the functions up once; they live in `memory`.
    RowDecoder(const ColumnMap &map, MemoryContext memory);

    // Decodes all rows of a FETCH into a new batch; `rows_before` counts those of the batches before, for messages.
    // Adds the size of the values to `bytes`.
    // Raises 22P03, 22021, 22P02 and whatever the types refuse, naming column and row.
    Batch decode(const PGresult *result, std::int64_t rows_before, std::int64_t &bytes) const;

    TupleDesc description() const { return description_; }

    struct Column; // how one column is decoded

  private:
    MemoryContext row_memory_;
    TupleDesc description_;
    Column *columns_;
    bool depends_on_settings_ = false;
};

} // namespace pgci
