#include "proof/comparison_settings.hpp"

#include "server/settings.hpp"

namespace pgci {

int begin_text_settings(const char *zone) {
    const int level = NewGUCNestLevel();
    set_text_output_for_level();
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
