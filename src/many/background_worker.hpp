// What a background worker does.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// The body of the worker, up to its end; `handle` is that of the segment. An error is raised as an ERROR.
void run_worker(Datum handle);

} // namespace pgci
