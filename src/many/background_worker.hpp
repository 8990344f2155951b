// The main function of a background worker.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Runs the worker until it ends. `handle` is the handle of the segment. An error is raised as an ERROR.
void run_worker(Datum handle);

} // namespace pgci
