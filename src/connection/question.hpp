// Asks the source for values: every query except FETCH and COPY. The answer is checked while it arrives, so that a
// malicious source can use only a limited amount of memory.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "connection/remote_connection.hpp"

namespace pgci {

struct Question {
    const char *kind; // the name of the question in messages, such as "EXPLAIN"
    // Write the type of the initializer: GCC 12 destroys a braced list twice if a later member throws.
    RemoteConnection::Statement statement{};
    int columns = 1;
    std::int64_t least_rows = 1;
    std::int64_t most_rows = 1;
    std::int64_t most_bytes = 8192; // sum of all values
    std::int64_t longest_row = 0;   // bytes of one row, which libpq keeps as a whole; 0: most_bytes
    std::vector<int> nullable{};    // numbers of the columns that may be NULL, from 0
    // Later rows are checked and counted, but not kept.
    std::int64_t kept_rows = std::numeric_limits<std::int64_t>::max();
};

// Texts without zero bytes, valid in the encoding of this database. Columns and rows are numbered from 0. Raises 08P01,
// with the kind of the question, for an answer that does not match the question.
class Answer {
  public:
    std::size_t rows() const { return cells_.size() / columns_; }
    bool is_null(std::size_t row, std::size_t column) const { return !cell(row, column); }
    // Returns a value that must not be NULL; optional_text() also returns NULL.
    const std::string &text(std::size_t row, std::size_t column) const;
    const std::optional<std::string> &optional_text(std::size_t row, std::size_t column) const {
        return cell(row, column);
    }
    // Returns an identifier, which must not be empty.
    const std::string &name(std::size_t row, std::size_t column) const;
    std::int64_t integer(std::size_t row, std::size_t column, std::int64_t least, std::int64_t most) const;
    // Returns an integer that may be too large for int64, with or without a minus sign.
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

// Sends the question and waits for the answer. The results of all earlier statements must have been received.
Answer ask(RemoteConnection &connection, const Question &question);
// The same in two steps, so that the source works in the meantime.
inline void send_question(RemoteConnection &connection, const Question &question) {
    connection.send(question.statement);
}
Answer receive_answer(RemoteConnection &connection, const Question &question);

} // namespace pgci
