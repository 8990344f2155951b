// The order in which the rows of a batch are written.
#pragma once

#include <cstddef>
#include <vector>

#include "server/pg.hpp"
#include "target/upsert.hpp"
#include "rows/batch.hpp"

namespace pgci {

// The rows of a part of a batch, ordered by the key, so that runs that write the same keys cannot wait for each other in a
// circle. Of rows with the same key, only the last.
struct RowOrder {
    std::vector<std::uint32_t> rows{}; // numbers of rows in the batch; empty if all rows of the part are in this order
    bool has_null_key = false;
};

// Without columns, the order is that of the batch.
RowOrder order_rows(const Batch &batch, std::size_t begin, std::size_t end, const std::vector<OrderColumn> &columns);

} // namespace pgci
