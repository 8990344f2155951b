#include "server/settings.hpp"

namespace pgci {

void set_for_level(const char *name, const char *value) {
    (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void set_text_input_for_level() {
    for (const auto &[name, value] :
         {std::pair("DateStyle", "ISO, YMD"), std::pair("IntervalStyle", "postgres"), std::pair("xmloption", "content"),
          std::pair("lc_monetary", "C"), std::pair("array_nulls", "on")})
        set_for_level(name, value);
}

void set_text_output_for_level() {
    for (const auto &[name, value] :
         {std::pair("DateStyle", "ISO"), std::pair("IntervalStyle", "postgres"), std::pair("extra_float_digits", "3"),
          std::pair("bytea_output", "hex"), std::pair("lc_monetary", "C"), std::pair("xmloption", "content")})
        set_for_level(name, value);
}

int begin_reading() {
    const int level = NewGUCNestLevel();
    set_for_level("standard_conforming_strings", "on");
    // This is safe because no character of a database encoding contains a backslash byte.
    set_for_level("backslash_quote", "on");
    if (client_min_messages < WARNING) set_for_level("client_min_messages", "warning");
    return level;
}

} // namespace pgci
