// The settings of this session while rows of the target are compared.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// How the names in a query are found: along the session's search_path, or only in pg_catalog.
enum class NameSearch : bool { session, catalog };

// Sets what decides over the texts of values, and search_path for NameSearch::catalog. AtEOXact_GUC() of the level that is
// returned, or an error, takes it back. PostgreSQL code: for use inside pg_call.
int begin_comparison_settings(const char *zone, NameSearch names);

} // namespace pgci
