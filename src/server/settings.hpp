// Settings that are changed for a part of the code.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Sets a parameter for the level that NewGUCNestLevel() began. AtEOXact_GUC() of that level, or an error, restores it.
// PostgreSQL code: for use inside pg_call.
void set_for_level(const char *name, const char *value);

// Sets all parameters that affect how input functions read text of the source. Parameters that the source also has get
// the same value as in the session at the source.
void set_text_input_for_level();

// Sets all parameters, except TimeZone, that affect the text that output functions return, so that input functions read the same
// value from it after set_text_input_for_level(). The values are those of the session at the source.
void set_text_output_for_level();

// Begins a level in which the scanner reads string constants as in the session at the source, regardless of the
// settings of this session. The level also disables notices, which would repeat names of any length. AtEOXact_GUC() of
// the returned level, or an error, ends it. PostgreSQL code: for use inside pg_call.
int begin_reading();

} // namespace pgci
