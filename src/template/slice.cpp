#include "template/slice.hpp"

#include "server/sql_text.hpp"
#include "server/user_text.hpp"
#include "template/parse_tree.hpp"
#include "template/template_scanner.hpp"
#include "template/window_bounds.hpp"

namespace pgci {

void check_condition(const std::string &text, const char *option, const char *example) {
    const char *const sql = text.c_str();
    auto check = [=] {
        const List *const parsed = parse_expression(sql);
        const auto *const select = reinterpret_cast<const SelectStmt *>(static_cast<RawStmt *>(linitial(parsed))->stmt);
        if (list_length(parsed) != 1 || list_length(select->targetList) != 1 || select->fromClause != NIL ||
            select->whereClause != nullptr || select->groupClause != NIL || select->havingClause != nullptr ||
            select->windowClause != NIL || select->sortClause != NIL || select->limitCount != nullptr ||
            select->limitOffset != nullptr || select->lockingClause != NIL || select->distinctClause != NIL ||
            select->op != SETOP_NONE || static_cast<const ResTarget *>(linitial(select->targetList))->name != nullptr)
            ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("%s must be a single condition", option),
                            errhint("Write it as after WHERE, such as %s.", example)));
    };
    with_errors_in(text, [&] { pg_call(check); });
}

std::string put_in_values(const std::string &text, const std::vector<std::string> &values) {
    std::vector<std::string> constants;
    constants.reserve(values.size());
    for (const std::string &value : values) constants.push_back(quote_literal(value));
    return replace_parameters(text, scan_template(text, "query template", "SELECT"), constants);
}

std::string slice_condition(const std::string &replace_where, const WindowText *window) {
    const TemplateTokens tokens = scan_template(replace_where, "replace_where", "condition");
    std::string condition;
    bool has_window = false;
    if (tokens.parameters.empty()) {
        FormattedTemplate formatted = format_placeholders(replace_where, window, "replace_where");
        has_window = formatted.placeholders > 0;
        if (has_window) check_quotes(replace_where, BoundedText::condition);
        condition = std::move(formatted.text);
    } else {
        check_parameters(tokens, replace_where, window, "replace_where");
        has_window = true;
        condition = put_in_values(replace_where, {window->start, window->end});
    }
    if (window != nullptr && !has_window)
        raise(sqlstate::invalid_parameter, "replace_where has no placeholder for the day",
              "Every day would delete the same rows. Write $1 and $2 or {} where the day belongs.");
    check_condition(condition, "replace_where", "created_at >= $1 AND created_at < $2");
    if (window != nullptr) check_bounds(replace_where, BoundedText::condition, *window);
    return condition;
}

} // namespace pgci
