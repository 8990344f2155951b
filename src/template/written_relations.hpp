// The relations that a query names.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Returns the relations that a parsed statement names, as a list of RangeVar in any order; without the names that WITH defines.
// PostgreSQL code: for use inside pg_call.
List *find_written_relations(Node *statement);

} // namespace pgci
