// Settings of this session that hold for a stretch of the code.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Sets a GUC for the level that NewGUCNestLevel() began; AtEOXact_GUC() of that level, or an error, takes it back.
// PostgreSQL code: for use inside pg_call.
void set_for_level(const char *name, const char *value);

// The same for all that decides how the input functions of types read the text that the source sends; settings that the
// source has too are the same there.
void set_text_input_for_level();

// From now on the scanner reads strings as in the session at the source, whatever the settings of this session are, and
// writes no notices, which would repeat names of any length. The level that is returned ends by AtEOXact_GUC() or an
// error. PostgreSQL code: for use inside pg_call.
int begin_reading();

} // namespace pgci
