// Settings of this session that hold for a stretch of the code.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Sets a GUC for the level that NewGUCNestLevel() began; AtEOXact_GUC() of that level, or an error, takes it back.
// PostgreSQL code: for use inside pg_call.
inline void set_for_level(const char *name, const char *value) {
    (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

// The same for all that decides how the input functions of types read the text that the source sends; settings that the
// source has too are the same there.
inline void set_text_input_for_level() {
    for (const auto &[name, value] :
         {std::pair("DateStyle", "ISO, YMD"), std::pair("IntervalStyle", "postgres"), std::pair("xmloption", "content"),
          std::pair("lc_monetary", "C"), std::pair("array_nulls", "on")})
        set_for_level(name, value);
}

} // namespace pgci
