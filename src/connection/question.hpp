// The one way to ask the source for values: everything but FETCH, COPY and commands without a result. The answer is
// checked while it arrives, so that a source that lies or never stops costs a bounded amount of memory.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "connection/remote_connection.hpp"

namespace pgci {

struct Question {
    const char *kind; // what messages call it: "EXPLAIN"
    // Write its type where it is initialized: GCC 12 destroys a braced list twice when a later member throws.
    RemoteConnection::Statement statement{};
    int columns = 1;
    std::int64_t least_rows = 1;
    std::int64_t most_rows = 1;
    std::int64_t most_bytes = 8192; // all values together
    std::int64_t longest_row = 0;   // bytes of one row, which libpq holds as a whole; 0: most_bytes
    std::vector<int> nullable{};    // columns that may be NULL, from 0 on
    // Rows after this one are checked and counted, but not kept.
    std::int64_t kept_rows = std::numeric_limits<std::int64_t>::max();
};

// Texts without zero bytes, valid in the encoding of this database. Columns and rows count from 0. What is not as
// expected raises 08P01, which names the kind of the question.
class Answer {
  public:
    std::size_t rows() const { return cells_.size() / columns_; }
    bool is_null(std::size_t row, std::size_t column) const { return !cell(row, column); }
    // The text of a value that is not NULL; an optional one may be.
    const std::string &text(std::size_t row, std::size_t column) const;
    const std::optional<std::string> &optional_text(std::size_t row, std::size_t column) const {
        return cell(row, column);
    }
    // An identifier, which is never empty.
    const std::string &name(std::size_t row, std::size_t column) const;
    std::int64_t integer(std::size_t row, std::size_t column, std::int64_t least, std::int64_t most) const;
    // A whole number of any sign that may be too large for an integer.
    const std::string &digits(std::size_t row, std::size_t column, std::size_t most_digits) const;

    [[noreturn]] void raise_wrong(const std::string &what) const;

  private:
    friend Answer receive_answer(RemoteConnection &connection, const Question &question);
    Answer(RemoteConnection &connection, const Question &question)
        : connection_(&connection), kind_(question.kind), columns_(static_cast<std::size_t>(question.columns)) {}
    const std::optional<std::string> &cell(std::size_t row, std::size_t column) const {
        return cells_.at(row * columns_ + column);
    }

    RemoteConnection *connection_;
    const char *kind_;
    std::size_t columns_;
    std::vector<std::optional<std::string>> cells_{}; // row by row
};

// Asks and waits for the answer, when the results of all earlier statements were received.
Answer ask(RemoteConnection &connection, const Question &question);
// The same in two steps, between which the source works.
inline void send_question(RemoteConnection &connection, const Question &question) {
    connection.send(question.statement);
}
Answer receive_answer(RemoteConnection &connection, const Question &question);
// Asks by the simple protocol, behind a command with this tag in the same text.
Answer ask_in_script(RemoteConnection &connection, const std::string &tag, const Question &question);

} // namespace pgci
