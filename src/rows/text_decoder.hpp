// Decodes rows of texts, such as rejected rows, into rows of a batch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/run_failure.hpp"
#include "target/column_map.hpp"
#include "rows/batch.hpp"
#include "rows/value_decoder.hpp"

namespace pgci {

class TextDecoder {
  public:
    // Looks up how to decode the columns. Allocates in `memory`.
    TextDecoder(const ColumnMap &map, MemoryContext memory);

    // The columns of a batch. Valid as long as `memory`.
    TupleDesc description() const { return description_; }

    // Adds a row to the batch. The texts are those of set_text_output_for_level() or of the source. Returns the error if a text
    // cannot be decoded; other errors are raised.
    std::optional<RunFailure> decode(const std::vector<std::optional<std::string>> &texts, Batch &batch);

  private:
    TupleDesc description_ = nullptr;
    ValueDecoder *decoders_ = nullptr;
};

} // namespace pgci
