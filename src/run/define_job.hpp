// The use case of copy_incremental_create_job(): performs all checks of a run, then stores the job.
#pragma once

#include "request/named_values.hpp"

namespace pgci {

// The arguments are those of copy_incremental_create_job(). Connects to the source, and stores the job only if its first
// window could be loaded. Raises 22023 for a name, a size or options that are not allowed, and for a connection string with a
// password; 42710 if the name is already used, 42501 if the job of that name belongs to another role; 0A000 if a replaced job
// would get another target; and what a run raises before its first row.
void define_job(const NamedValues &arguments, Oid schema);

} // namespace pgci
