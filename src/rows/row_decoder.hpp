// Decodes values of the source into rows of a batch.
#pragma once

#include "connection/remote_connection.hpp"
#include "target/column_map.hpp"
#include "rows/batch.hpp"
#include "rows/value_decoder.hpp"

namespace pgci {

class RowDecoder {
  public:
    // Looks up how to decode the columns. Allocates in `memory`.
    RowDecoder(const ColumnMap &map, MemoryContext memory);

    // The columns of a batch. Valid as long as `memory`.
    TupleDesc description() const { return description_; }

    // Sets the parameters for text input until end() or an error.
    void begin();
    void end();

    // Decodes a row into the batch and returns the size of its values in bytes. PostgreSQL code; client_encoding must be
    // the encoding of the database. Raises the errors of decode_value.
    std::int64_t decode(RemoteConnection::Row row, Batch &batch);
    // Approximate memory in bytes of the last decoded row in a batch.
    std::int64_t row_size() const { return row_size_; }

    // For a row whose decoding failed: the column of the error, and the row as a JSON object of texts. A text that cannot be
    // decoded is shown as it was sent; it is not whole if a value cannot be shown. give_up_row() ends the decoding of the row.
    struct ShownRow {
        std::string json;
        bool is_whole = true;
    };
    bool is_decoding() const { return column_ < description_->natts; }
    std::string column_name() const { return NameStr(TupleDescAttr(description_, column_)->attname); }
    ShownRow show_row();
    void give_up_row();

    // Adds a line of error context: the column of the current value and the number of its row at the source. PostgreSQL
    // code.
    void show_position() const;

  private:
    std::optional<std::string> show_value(int column) const;

    TupleDesc description_ = nullptr;
    ValueDecoder *decoders_ = nullptr;
    RemoteConnection::Row source_row_{};
    MemoryContext scratch_ = nullptr; // of functions that decode a value
    std::int64_t row_ = 0;
    std::int64_t row_size_ = 0;
    std::int64_t row_overhead_ = 0; // bytes for each row besides its values
    int column_ = 0;
    bool depends_on_settings_ = false;
    int settings_ = 0;
};

} // namespace pgci
