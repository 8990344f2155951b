#include "proof/comparison_settings.hpp"

#include "server/settings.hpp"

namespace pgci {

// The values are those of the session at the source.
int begin_text_settings(const char *zone) {
    const int level = NewGUCNestLevel();
    for (const auto &[name, value] :
         {std::pair("DateStyle", "ISO"), std::pair("IntervalStyle", "postgres"), std::pair("extra_float_digits", "3"),
          std::pair("bytea_output", "hex"), std::pair("lc_monetary", "C"), std::pair("xmloption", "content")})
        set_for_level(name, value);
    set_for_level("TimeZone", zone);
    return level;
}

// With row_security off, a hidden row is an error.
int begin_comparison_settings(const char *zone, NameSearch names) {
    const int level = begin_text_settings(zone);
    set_for_level("row_security", "off");
    if (names == NameSearch::catalog) set_for_level("search_path", "pg_catalog, pg_temp");
    return level;
}

} // namespace pgci
