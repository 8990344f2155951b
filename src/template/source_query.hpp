// The query that goes to the source: a template with its window put in, checked as far as this server can.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "template/placeholders.hpp"
#include "template/template_statement.hpp"

namespace pgci {

class SourceQuery {
  public:
    // Puts the window into a template, by placeholders or bound parameters; `window` is null when no day was given.
    // Raises 22023 for a template that breaks the rules of design (no day, both styles, $3, $2 alone), 42601 for more
    // than one statement or one that is not a query, 25006 for one that writes.
    SourceQuery(const std::string &query_template, const WindowText *window);

    // The text for the source, without a trailing semicolon.
    const std::string &text() const { return text_; }
    // The values of $1 and $2, as many as the text has.
    const std::vector<std::string> &parameters() const { return parameters_; }
    // Braces stand in a template with parameters, where they mean nothing.
    bool has_literal_braces() const { return !parameters_.empty() && text_.find("{}") != std::string::npos; }

    // Is it SELECT of columns by their own names FROM ... WHERE ..., and nothing else? False where that is not known.
    bool selects_plainly() const { return only_relation_ && pgci::selects_plainly(text_); }

    // The relation of the top-level FROM clause, if this server's parser finds exactly one and nothing else in it.
    const std::optional<WrittenName> &only_relation() const { return only_relation_; }

  private:
    std::string text_;
    std::vector<std::string> parameters_;
    std::optional<WrittenName> only_relation_;
};

} // namespace pgci
