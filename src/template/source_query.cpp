#include "template/source_query.hpp"

#include "server/guard.hpp"
#include "template/template_scanner.hpp"
#include "template/template_statement.hpp"

namespace pgci {

SourceQuery::SourceQuery(const std::string &query_template, const WindowText *window) {
    constexpr const char *what = "query template";
    constexpr const char *kind = "SELECT, VALUES or TABLE statement";
    TemplateTokens tokens = scan_template(query_template, what, kind);
    if (!tokens.parameters.empty()) {
        check_parameters(tokens, query_template, window, what);
        parameters_.push_back(window->start);
        if (tokens.highest_parameter() == 2) parameters_.push_back(window->end);
        text_ = query_template;
    } else {
        FormattedTemplate formatted = format_placeholders(query_template, window, what);
        if (window != nullptr && formatted.placeholders == 0)
            raise(sqlstate::invalid_parameter, "query template has no placeholder for the day",
                  "Every day would copy the same rows. Write $1 and $2 or {} where the day belongs, or pass NULL as "
                  "day to copy the whole result.");
        text_ = std::move(formatted.text);
        tokens = scan_template(text_, what, kind);
    }
    text_.resize(tokens.length);
    only_relation_ = check_statement(text_);
}

} // namespace pgci
