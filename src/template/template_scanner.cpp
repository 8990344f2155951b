#include "template/template_scanner.hpp"

#include "server/guard.hpp"

namespace pgci {

namespace {

// The scanner's code of a parameter, fixed by parser/scanner.h, which promises it to users of the scanner.
constexpr int parameter_token = 267;

// Plain data, because the scanner may raise an error.
struct Scan {
    int tokens = 0;
    int semicolon_at = -1;
    bool after_semicolon = false;
    List *parameters = NIL; // number, place, number, place
};

Scan scan(const char *text) {
    Scan result;
    core_yy_extra_type extra{};
    core_YYSTYPE value{};
    YYLTYPE location = 0;
    const core_yyscan_t scanner = scanner_init(text, &extra, &ScanKeywords, ScanKeywordTokens);
    // As the source's session reads strings, whatever this one's setting is.
    extra.standard_conforming_strings = true;
    while (const int token = core_yylex(&value, &location, scanner)) {
        if (token == ';') {
            if (result.semicolon_at < 0) result.semicolon_at = location;
            continue;
        }
        ++result.tokens;
        if (result.semicolon_at >= 0) result.after_semicolon = true;
        if (token == parameter_token && value.ival > 0) {
            result.parameters = lappend_int(result.parameters, value.ival);
            result.parameters = lappend_int(result.parameters, location);
        }
    }
    scanner_finish(scanner);
    return result;
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
    const ErrorInQuery shown(text);
    const Scan scanned = pg_call([&] { return scan(text.c_str()); });
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

std::string replace_parameters(const std::string &text, const TemplateTokens &tokens,
                               const std::vector<std::string> &expressions) {
    std::string result;
    std::size_t copied = 0;
    for (const TemplateParameter &parameter : tokens.parameters) {
        result.append(text, copied, parameter.at - copied);
        result.append(" ").append(expressions.at(static_cast<std::size_t>(parameter.number - 1))).append(" ");
        copied = parameter.at + 1 + std::to_string(parameter.number).size();
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
