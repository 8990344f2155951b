#include "source_query.hpp"

#include "guard.hpp"
#include "template_scanner.hpp"
#include "template_statement.hpp"

namespace pgci {

namespace {

[[noreturn]] void refuse(const std::string &message, const std::string &hint) {
    raise(sqlstate::invalid_parameter, message, hint);
}

void check_parameters(const TemplateTokens &tokens, const std::string &query_template, const WindowText *window) {
    if (tokens.highest_parameter > 2)
        refuse("query template has the parameter $" + std::to_string(tokens.highest_parameter),
               "$1 is the start of the window and $2 its end; there are no others.");
    if (!tokens.has_first_parameter)
        refuse("query template has $2 without $1", "$1 is the start of the window and $2 its end, which is exclusive.");
    const std::string_view placeholder = find_named_placeholder(query_template);
    if (!placeholder.empty())
        refuse("query template has both the parameter $1 and the placeholder \"" + std::string(placeholder) + "\"",
               "Use either $1 and $2, or placeholders.");
    if (window == nullptr)
        refuse("query template has the parameter $1 but day is null", "Pass a day, or take the parameter out.");
}

} // namespace

SourceQuery::SourceQuery(const std::string &query_template, const WindowText *window) {
    TemplateTokens tokens = scan_template(query_template);
    if (tokens.highest_parameter > 0) {
        check_parameters(tokens, query_template, window);
        parameters_.push_back(window->start);
        if (tokens.highest_parameter == 2) parameters_.push_back(window->end);
        text_ = query_template;
    } else {
        FormattedTemplate formatted = format_placeholders(query_template, window);
        if (window != nullptr && formatted.placeholders == 0)
            refuse("query template has no placeholder for the day",
                   "Every day would copy the same rows. Write $1 and $2 or {} where the day belongs, or pass NULL as "
                   "day to copy the whole result.");
        text_ = std::move(formatted.text);
        tokens = scan_template(text_);
    }
    text_.resize(tokens.length);
    from_relations_ = check_statement(text_);
}

} // namespace pgci
