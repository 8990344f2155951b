#include "template_scanner.hpp"

#include "guard.hpp"

namespace pgci {

namespace {

// The scanner's code of a parameter, fixed by parser/scanner.h, which promises it to users of the scanner.
constexpr int parameter_token = 267;

struct Scan {
    int tokens = 0;
    int semicolon_at = -1;
    bool after_semicolon = false;
    int highest_parameter = 0;
    bool has_first_parameter = false;
};

Scan scan(const char *text) {
    Scan result;
    core_yy_extra_type extra{};
    core_YYSTYPE value{};
    YYLTYPE location = 0;
    const core_yyscan_t scanner = scanner_init(text, &extra, &ScanKeywords, ScanKeywordTokens);
    // As the source reads it.
    extra.standard_conforming_strings = true;
    while (const int token = core_yylex(&value, &location, scanner)) {
        if (token == ';') {
            if (result.semicolon_at < 0) result.semicolon_at = location;
            continue;
        }
        ++result.tokens;
        if (result.semicolon_at >= 0) result.after_semicolon = true;
        if (token == parameter_token) {
            result.highest_parameter = std::max(result.highest_parameter, value.ival);
            if (value.ival == 1) result.has_first_parameter = true;
        }
    }
    scanner_finish(scanner);
    return result;
}

} // namespace

TemplateTokens scan_template(const std::string &text) {
    const ErrorInQuery shown(text);
    const Scan scanned = pg_call([&] { return scan(text.c_str()); });
    if (scanned.tokens == 0)
        raise(sqlstate::syntax_error, "query template is empty", "Pass a SELECT, VALUES or TABLE statement.");
    if (scanned.after_semicolon)
        raise(sqlstate::syntax_error, "query template must be a single SELECT, VALUES or TABLE statement",
              "Remove the other statements.");
    return TemplateTokens{.length =
                              scanned.semicolon_at < 0 ? text.size() : static_cast<std::size_t>(scanned.semicolon_at),
                          .highest_parameter = scanned.highest_parameter,
                          .has_first_parameter = scanned.has_first_parameter};
}

} // namespace pgci
