// Wire bytes of the source to rows of a batch.
#pragma once

#include <libpq-fe.h>

#include "target/column_map.hpp"
#include "rows/row_writer.hpp"
#include "rows/value_decoder.hpp"

namespace pgci {

class RowDecoder {
  public:
    // Looks up how the columns are decoded; what that needs lives in `memory`.
    RowDecoder(const ColumnMap &map, MemoryContext memory);

    // What the columns of a batch are. It lives as long as `memory`.
    TupleDesc description() const { return description_; }

    // Sets by what settings text is read, until end(); an error takes them back by itself.
    void begin();
    void end();

    // Decodes the one row of a result into the writer's batch and returns the size of its values in bytes. PostgreSQL
    // code, for use where the client encoding is the database's. Raises what decode_value raises.
    std::int64_t decode(const PGresult *row, RowWriter &writer);
    // About the memory that the row decoded last takes in a batch.
    std::int64_t row_size() const { return row_size_; }

    // Of a row whose decoding failed: the column at fault, and the row as a JSON object of texts, where what cannot be
    // decoded is shown as it came. After that the row is done with.
    bool is_decoding() const { return column_ < description_->natts; }
    std::string column_name() const { return NameStr(TupleDescAttr(description_, column_)->attname); }
    std::string show_row();
    void give_up_row() { column_ = description_->natts; }

    // A line of error context: the column of the value that is being decoded, and the number of its row at the source.
    // PostgreSQL code.
    void show_position() const;

  private:
    TupleDesc description_ = nullptr;
    ValueDecoder *decoders_ = nullptr;
    const PGresult *source_row_ = nullptr;
    Datum *values_ = nullptr;
    bool *nulls_ = nullptr;
    std::int64_t row_ = 0;
    std::int64_t row_size_ = 0;
    std::int64_t row_overhead_ = 0; // of each row beside its values
    int column_ = 0;
    bool depends_on_settings_ = false;
    int settings_ = 0;
};

} // namespace pgci
