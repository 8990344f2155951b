// The foreign keys between targets.
#pragma once

#include <string>
#include <vector>

#include "server/pg.hpp"

namespace pgci {

struct ForeignKey {
    std::size_t child = 0; // the positions of its tables among the targets
    std::size_t parent = 0;
    bool is_deferrable = false;
    std::string constraint; // schema.constraint, quoted
    std::string name;       // for messages: "constraint" of table
};

// Finds the foreign keys that refer from one of the targets, or a partition of it, to another one. A target may be named more than
// once. The keys are in a fixed order.
std::vector<ForeignKey> find_foreign_keys(const std::vector<Oid> &targets);

} // namespace pgci
