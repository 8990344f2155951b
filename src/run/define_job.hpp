// The use case: a job is defined, after all that a run would check was checked.
#pragma once

#include "request/named_values.hpp"

namespace pgci {

// The arguments are those of copy_incremental_create_job(). Connects to the source and stores nothing unless the first window
// could be loaded. Raises 22023 for a name, a size or options that are not allowed, and for a connection string with a
// password; 42710 for a name that is taken, 42501 for that of another role's job; 0A000 for another target of a job that is
// replaced; and what a run raises before its first row.
void define_job(const NamedValues &arguments, Oid schema);

} // namespace pgci
