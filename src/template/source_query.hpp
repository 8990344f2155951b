// The query for the source: a template with its window, checked as far as this server can.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "template/column_window.hpp"
#include "template/placeholders.hpp"
#include "template/template_statement.hpp"
#include "template/window_bounds.hpp"

namespace pgci {

// Where the window is used: in the query, or in a condition on one of its columns.
enum class DayStyle { in_query, by_column };

class SourceQuery {
  public:
    // Inserts the window into a template, by placeholders or bound parameters; `window` is null if no day was given.
    // Raises 22023 for a template that breaks the rules (no day, both styles, $3, $2 alone), 42601 for several
    // statements or one that is not a query, 25006 for one that writes.
    SourceQuery(const std::string &query_template, const WindowText *window, DayStyle style);

    // Returns the query restricted to rows whose column is in the window. Exactly one result column must have the name.
    SourceQuery within(const ColumnWindow &window, const std::string &column) const;

    // Returns the query restricted to rows that satisfy a condition, in which the query is a relation q.
    SourceQuery where(const std::string &condition) const;

    // Returns the query with other values of $1 and $2, as many as it has.
    SourceQuery with_parameters(std::vector<std::string> values) const;

    // The text for the source, without a trailing semicolon.
    const std::string &text() const { return text_; }
    // The values of $1 and $2, as many as the text uses.
    const std::vector<std::string> &parameters() const { return parameters_; }
    // The template has parameters and also braces, which are not placeholders then.
    bool has_literal_braces() const { return has_literal_braces_; }

    // Returns whether the query is only SELECT of columns by their own names FROM ... WHERE .... False if unknown.
    bool selects_plainly() const { return facts_.only_relation && pgci::selects_plainly(text_); }

    // Returns whether LIMIT or OFFSET restricts the result. False if unknown.
    bool is_limited() const { return facts_.is_limited; }

    // The relation of the top-level FROM clause, if the parser of this server finds exactly one item, a relation.
    const std::optional<WrittenName> &only_relation() const { return facts_.only_relation; }
    // Returns whether each row of the result is of one row of that relation. False if unknown.
    bool reads_one_relation() const { return facts_.only_relation && !facts_.is_grouped; }
    // All relations that the query names; none if the parser of this server cannot read it.
    const std::vector<WrittenName> &relations() const { return facts_.relations; }

    // How the template restricts rows to the window.
    const WindowBounds &bounds() const { return bounds_; }

  private:
    std::string text_;
    std::vector<std::string> parameters_{};
    WindowBounds bounds_{};
    bool has_literal_braces_ = false;
    QueryFacts facts_{};
};

} // namespace pgci
