#include "template/parse_tree.hpp"

#include "server/settings.hpp"

namespace pgci {

namespace {

List *parse(const char *sql, RawParseMode mode) {
    const int settings = begin_reading();
    List *const parsed = raw_parser(sql, mode);
    AtEOXact_GUC(true, settings);
    return parsed;
}

} // namespace

List *parse_statements(const char *sql) { return parse(sql, RAW_PARSE_DEFAULT); }

List *parse_expression(const char *sql) { return parse(sql, RAW_PARSE_PLPGSQL_EXPR); }

} // namespace pgci
