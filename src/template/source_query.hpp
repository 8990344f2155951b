// The query that goes to the source: a template with its window put in, checked as far as this server can.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "template/column_window.hpp"
#include "template/placeholders.hpp"
#include "template/template_statement.hpp"

namespace pgci {

// Where the day is: in the query, or in a condition on one of its columns.
enum class DayStyle { in_query, by_column };

class SourceQuery {
  public:
    // Puts the window into a template, by placeholders or bound parameters; `window` is null when no day was given.
    // Raises 22023 for a template that breaks the rules of design (no day, two styles, $3, $2 alone), 42601 for more
    // than one statement or one that is not a query, 25006 for one that writes.
    SourceQuery(const std::string &query_template, const WindowText *window, DayStyle style);

    // The rows of the query whose column is in the window. The name must be that of exactly one column of the result.
    SourceQuery within(const ColumnWindow &window, const std::string &column) const;

    // The text for the source, without a trailing semicolon.
    const std::string &text() const { return text_; }
    // The values of $1 and $2, as many as the text has.
    const std::vector<std::string> &parameters() const { return parameters_; }
    // Braces stand in a template with parameters, where they mean nothing.
    bool has_literal_braces() const { return has_literal_braces_; }

    // Is it SELECT of columns by their own names FROM ... WHERE ..., and nothing else? False where that is not known.
    bool selects_plainly() const { return facts_.only_relation && pgci::selects_plainly(text_); }

    // Does LIMIT or OFFSET choose from the result? False where that is not known.
    bool is_limited() const { return facts_.is_limited; }

    // The relation of the top-level FROM clause, if this server's parser finds exactly one and nothing else in it.
    const std::optional<WrittenName> &only_relation() const { return facts_.only_relation; }

  private:
    std::string text_;
    std::vector<std::string> parameters_{};
    bool has_literal_braces_ = false;
    QueryFacts facts_{};
};

} // namespace pgci
