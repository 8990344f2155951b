#include "template/template_scanner.hpp"

#include "server/settings.hpp"
#include "server/user_text.hpp"

namespace pgci {

namespace {

// Token codes that parser/scanner.h guarantees to users of the scanner. The codes of keywords differ between versions.
constexpr int identifier_token = 258;
constexpr int unicode_identifier_token = 259;
constexpr int string_token = 261;
constexpr int unicode_string_token = 262;
constexpr int parameter_token = 267;

// Plain data, because the scanner may raise an error.
struct Scan {
    int tokens = 0;
    int semicolon_at = -1;
    bool after_semicolon = false;
    List *parameters = NIL; // number, place, number, place
};

// The scanner reads all of "/*/*/*" for the first "/*", and again for each one after it. A sequence of 1 MB would take
// minutes, during which interrupts are not processed. The check also refuses it in a string, where it is harmless but
// useless.
void check_comments(const std::string &text, const char *what) {
    std::size_t end_of_run = 0;
    int opened = 0;
    for (std::size_t at = text.find("/*"); at != std::string::npos; at = text.find("/*", at + 2)) {
        if (at >= end_of_run) {
            end_of_run = text.find_first_not_of("~!@#^&|`?%+-*/<>=", at);
            opened = 0;
        }
        if (++opened == NAMEDATALEN)
            raise(sqlstate::too_complex, std::string(what) + " has too many nested comments in a row",
                  R"(Write spaces between "/*" and "/*".)");
    }
}

// The scanner reads a sequence of signs to its end to find that the first is an operator, and again for each one after
// it. A sequence of 1 MB would take hours. The limit is the one that the scanner has for other operators.
void check_signs(const char *at, core_yyscan_t scanner) {
    int signs = 0;
    // "--" starts a comment.
    while (at[signs] == '+' || (at[signs] == '-' && at[signs + 1] != '-'))
        if (++signs == NAMEDATALEN) scanner_yyerror("operator too long", scanner);
}

// Calls `take` for each token, with its code, value, text and position. Processes interrupts between tokens.
template <class Take> void scan_tokens(const char *text, Take take) {
    const int settings = begin_reading();
    core_yy_extra_type extra{};
    core_YYSTYPE value{};
    YYLTYPE location = 0;
    const core_yyscan_t scanner = scanner_init(text, &extra, &ScanKeywords, ScanKeywordTokens);
    while (const int token = core_yylex(&value, &location, scanner)) {
        CHECK_FOR_INTERRUPTS();
        if (token == '+' || token == '-') check_signs(text + location, scanner);
        take(token, value, extra.scanbuf + location, location);
    }
    scanner_finish(scanner);
    AtEOXact_GUC(true, settings);
}

Scan scan(const char *text) {
    Scan result;
    scan_tokens(text, [&](int token, const core_YYSTYPE &value, const char *, int location) {
        if (token == ';') {
            if (result.semicolon_at < 0) result.semicolon_at = location;
            return;
        }
        ++result.tokens;
        if (result.semicolon_at >= 0) result.after_semicolon = true;
        if (token == parameter_token && value.ival > 0) {
            result.parameters = lappend_int(result.parameters, value.ival);
            result.parameters = lappend_int(result.parameters, location);
        }
    });
    return result;
}

// Appends the meaning of a token: a letter for its kind, and its value or, for numbers and operators, its text. The
// scanner has written the end of the string after the token.
void append_token(StringInfo canon, int token, const core_YYSTYPE &value, const char *text) {
    char kind = 'o';
    const char *meaning = text;
    if (token == string_token || token == unicode_string_token) {
        kind = token == string_token ? 's' : 'S';
        meaning = value.str;
    } else if (token == unicode_identifier_token) {
        kind = 'U';
        meaning = value.str;
    } else if (token == identifier_token) {
        kind = text[0] == '"' ? 'q' : 'w';
        meaning = value.str;
    } else if (token > parameter_token && (isalpha(static_cast<unsigned char>(text[0])) != 0 || text[0] == '_')) {
        // A keyword is written like an identifier, because a later version may have more keywords.
        kind = 'w';
        meaning = value.keyword;
    }
    appendStringInfo(canon, "%c%zu:%s", kind, std::strlen(meaning), meaning);
}

char *scan_canon(const char *text) {
    StringInfoData canon;
    initStringInfo(&canon);
    scan_tokens(text, [&](int token, const core_YYSTYPE &value, const char *at, int) {
        if (token != ';') append_token(&canon, token, value, at);
    });
    return canon.data;
}

[[noreturn]] void refuse(const std::string &message, const char *hint) {
    raise(sqlstate::invalid_parameter, message, hint);
}

} // namespace

int TemplateTokens::highest_parameter() const {
    int highest = 0;
    for (const TemplateParameter &parameter : parameters) highest = std::max(highest, parameter.number);
    return highest;
}

TemplateTokens scan_template(const std::string &text, const char *what, const char *kind) {
    check_comments(text, what);
    const Scan scanned = with_errors_in(text, [&] { return pg_call([&] { return scan(text.c_str()); }); });
    if (scanned.tokens == 0)
        raise(sqlstate::syntax_error, std::string(what) + " is empty", std::string("Pass a ") + kind + ".");
    if (scanned.after_semicolon)
        raise(sqlstate::syntax_error, std::string(what) + " must be a single " + kind, "Remove the other statements.");
    TemplateTokens tokens;
    tokens.length = scanned.semicolon_at < 0 ? text.size() : static_cast<std::size_t>(scanned.semicolon_at);
    for (int i = 0; i + 1 < list_length(scanned.parameters); i += 2)
        tokens.parameters.push_back(
            {list_nth_int(scanned.parameters, i), static_cast<std::size_t>(list_nth_int(scanned.parameters, i + 1))});
    return tokens;
}

std::string token_text(const std::string &text) {
    check_comments(text, "query template");
    return with_errors_in(text, [&] { return pg_call([&] { return scan_canon(text.c_str()); }); });
}

bool has_token(const std::string &text, char character) {
    const auto find = [=, sql = text.c_str()] {
        bool found = false;
        scan_tokens(sql, [&](int token, const core_YYSTYPE &, const char *, int) { found |= token == character; });
        return found;
    };
    return with_errors_in(text, [&] { return pg_call(find); });
}

std::string replace_parameters(const std::string &text, const TemplateTokens &tokens,
                               const std::vector<std::string> &expressions) {
    std::string result;
    std::size_t copied = 0;
    for (const TemplateParameter &parameter : tokens.parameters) {
        result.append(text, copied, parameter.at - copied);
        result.append(" ").append(expressions.at(static_cast<std::size_t>(parameter.number - 1))).append(" ");
        // Leading zeros belong to the parameter.
        copied = text.find_first_not_of("0123456789", parameter.at + 1);
        if (copied == std::string::npos) return result;
    }
    return result.append(text, copied, std::string::npos);
}

void check_parameters(const TemplateTokens &tokens, const std::string &text, const WindowText *window,
                      const char *what) {
    const std::string subject(what);
    if (tokens.highest_parameter() > 2)
        refuse(subject + " has the parameter $" + std::to_string(tokens.highest_parameter()),
               "$1 is the start of the window and $2 its end; there are no others.");
    if (std::none_of(tokens.parameters.begin(), tokens.parameters.end(),
                     [](const TemplateParameter &parameter) { return parameter.number == 1; }))
        refuse(subject + " has $2 without $1", "$1 is the start of the window and $2 its end, which is exclusive.");
    const std::string_view placeholder = find_named_placeholder(text);
    if (!placeholder.empty())
        refuse(subject + " has both the parameter $1 and the placeholder \"" + std::string(placeholder) + "\"",
               "Use either $1 and $2, or placeholders.");
    if (window == nullptr)
        refuse(subject + " has the parameter $1 but day is null", "Pass a day, or take the parameter out.");
}

} // namespace pgci
