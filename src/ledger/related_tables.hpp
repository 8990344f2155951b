// The tables that have rows in common with a target, because they are partitions of one table.
#pragma once

#include <string>
#include <vector>

#include "server/pg.hpp"

namespace pgci {

// The table of which the target is a partition, also indirectly; or the target.
Oid find_root(Oid target);

// These return OIDs as texts. The target and its partitions.
std::vector<std::string> find_parts(Oid target);
// All tables with the same root: what is read for one of them must not be older than what was
// written to another, because a row of the source may move.
std::vector<std::string> find_tree(Oid target);
// Those that may have the same rows: the target, its partitions, and the tables of which it is one. Other partitions have
// other rows.
std::vector<std::string> find_line(Oid target);

} // namespace pgci
