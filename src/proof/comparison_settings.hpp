// The parameters of this session while rows of the target are compared.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// How names in a query are resolved: by search_path of the session, or only in pg_catalog.
enum class NameSearch : bool { session, catalog };

// Sets the parameters that affect the text of values. AtEOXact_GUC() of the returned level, or an error, restores them.
// PostgreSQL code.
int begin_text_settings(const char *zone);

// Sets these, row_security, and search_path for NameSearch::catalog. AtEOXact_GUC() of the
// returned level, or an error, restores them. PostgreSQL code: for use inside pg_call.
int begin_comparison_settings(const char *zone, NameSearch names);

} // namespace pgci
