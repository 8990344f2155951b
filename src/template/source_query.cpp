#include "template/source_query.hpp"

#include "server/guard.hpp"
#include "server/sql_text.hpp"
#include "template/template_scanner.hpp"
#include "template/template_statement.hpp"

namespace pgci {

namespace {

constexpr const char *what = "query template";

[[noreturn]] void refuse_second_style(const std::string &day) {
    raise(sqlstate::invalid_parameter, "query template has " + day + " together with window_column",
          "Leave the day out of the query, or leave out window_column. Write {{ and }} for literal braces.");
}

} // namespace

SourceQuery::SourceQuery(const std::string &query_template, const WindowText *window, DayStyle style) {
    constexpr const char *kind = "SELECT, VALUES or TABLE statement";
    TemplateTokens tokens = scan_template(query_template, what, kind);
    if (!tokens.parameters.empty()) {
        if (style == DayStyle::by_column)
            refuse_second_style("the parameter $" + std::to_string(tokens.highest_parameter()));
        check_parameters(tokens, query_template, window, what);
        parameters_.push_back(window->start);
        if (tokens.highest_parameter() == 2) parameters_.push_back(window->end);
        text_ = query_template;
        has_literal_braces_ = text_.find("{}") != std::string::npos;
    } else {
        FormattedTemplate formatted = format_placeholders(query_template, window, what);
        if (style == DayStyle::by_column && formatted.placeholders > 0)
            refuse_second_style("a placeholder for the day");
        if (style == DayStyle::in_query && window != nullptr && formatted.placeholders == 0)
            raise(
                sqlstate::invalid_parameter, "query template has no placeholder for the day",
                "Every day would copy the same rows. Pass window_column, write $1 and $2 or {} where the day belongs, "
                "or pass NULL as day to copy the whole result; in a job, window_size => NULL.");
        if (formatted.placeholders > 0) check_quotes(query_template, BoundedText::query);
        text_ = std::move(formatted.text);
        tokens = scan_template(text_, what, kind);
    }
    text_.resize(tokens.length);
    facts_ = check_statement(text_);
    if (window != nullptr) bounds_ = check_bounds(query_template, BoundedText::query, *window);
}

// The line break ends a comment at the end of the query.
SourceQuery SourceQuery::where(const std::string &condition) const {
    SourceQuery query(*this);
    query.text_ = "SELECT * FROM (" + text_ + "\n) AS q WHERE " + condition;
    return query;
}

SourceQuery SourceQuery::within(const ColumnWindow &window, const std::string &column) const {
    SourceQuery query = where(window.condition("q." + quote_identifier(column), "$1", "$2"));
    query.parameters_ = {window.start, window.end};
    return query;
}

SourceQuery SourceQuery::with_parameters(std::vector<std::string> values) const {
    SourceQuery query(*this);
    query.parameters_ = std::move(values);
    return query;
}

} // namespace pgci
