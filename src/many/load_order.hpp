// The order in which the jobs of a group are loaded, so that each row finds the rows that it refers to.
#pragma once

#include <vector>

#include "target/foreign_keys.hpp"

namespace pgci {

struct LoadOrder {
    // The jobs of a level, by their positions, refer only to those of earlier levels.
    std::vector<std::vector<std::size_t>> levels{};
    // Foreign keys that form a cycle, so that no order is right for them.
    std::vector<ForeignKey> broken{};
};

// Orders this number of jobs by the foreign keys between their targets. Of a cycle, the jobs that come first in the list are loaded
// first, unless the keys that are deferred (`are_deferred`: all that are deferrable) leave an order.
LoadOrder order_by_foreign_keys(std::size_t jobs, std::vector<ForeignKey> keys, bool are_deferred);

} // namespace pgci
