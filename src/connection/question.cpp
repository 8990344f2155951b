#include "connection/question.hpp"

#include "server/guard.hpp"
#include "connection/foreign_number.hpp"

namespace pgci {

namespace {

constexpr std::size_t longest_name = 255; // the source may be built with a larger NAMEDATALEN

// Receives the rows of an answer as they arrive.
class Collector {
  public:
    Collector(RemoteConnection &connection, const Question &question) : connection_(connection), question_(question) {}

    void check_columns(const PGresult *result) const {
        if (PQnfields(result) != question_.columns)
            wrong(std::to_string(PQnfields(result)) + " columns instead of " + std::to_string(question_.columns));
        for (int column = 0; column < question_.columns; ++column)
            if (PQfformat(result, column) != 0) wrong("a column in binary");
    }

    void add(const PGresult *row, std::vector<std::optional<std::string>> &cells) {
        check_columns(row);
        if (++rows_ > question_.most_rows) wrong("more than " + std::to_string(question_.most_rows) + " rows");
        for (int column = 0; column < question_.columns; ++column) bytes_ += PQgetlength(row, 0, column);
        if (bytes_ > question_.most_bytes) wrong("more than " + std::to_string(question_.most_bytes) + " bytes");
        for (int column = 0; column < question_.columns; ++column) {
            std::optional<std::string> value = checked_value(row, column);
            if (rows_ <= question_.kept_rows) cells.push_back(std::move(value));
        }
    }

    void end(const PGresult *last) const {
        check_columns(last);
        if (PQntuples(last) != 0 || rows_ < question_.least_rows)
            wrong(std::to_string(rows_) + " rows instead of at least " + std::to_string(question_.least_rows));
    }

  private:
    [[noreturn]] void wrong(const std::string &what) const { connection_.raise_protocol_violation(what); }

    std::optional<std::string> checked_value(const PGresult *row, int column) const {
        if (PQgetisnull(row, 0, column) != 0) {
            if (std::find(question_.nullable.begin(), question_.nullable.end(), column) == question_.nullable.end())
                wrong("NULL in column " + std::to_string(column + 1));
            return std::nullopt;
        }
        const char *const value = PQgetvalue(row, 0, column);
        const int length = PQgetlength(row, 0, column);
        // A zero byte is not valid in any encoding.
        if (!pg_verify_mbstr(GetDatabaseEncoding(), value, length, true))
            wrong("a text that is not valid in the encoding of this database");
        return std::string(value, static_cast<std::size_t>(length));
    }

    RemoteConnection &connection_;
    const Question &question_;
    std::int64_t rows_ = 0;
    std::int64_t bytes_ = 0;
};

} // namespace

Answer receive_answer(RemoteConnection &connection, const Question &question) {
    const std::int64_t longest = question.longest_row > 0 ? question.longest_row : question.most_bytes;
    const RemoteConnection::Expectation expectation(connection, question.kind, longest);
    connection.begin_rows();
    Answer answer(connection, question);
    Collector collector(connection, question);
    Result end;
    while ((end = connection.await_row(question.statement)) == nullptr)
        collector.add(connection.row_at_hand().result, answer.cells_);
    collector.end(end.get());
    connection.check_protocol_settings();
    return answer;
}

Answer ask(RemoteConnection &connection, const Question &question) {
    send_question(connection, question);
    return receive_answer(connection, question);
}

const std::string &Answer::text(std::size_t row, std::size_t column) const {
    const std::optional<std::string> &value = cell(row, column);
    if (!value) raise_wrong("NULL in column " + std::to_string(column + 1));
    return *value;
}

const std::string &Answer::name(std::size_t row, std::size_t column) const {
    const std::string &value = text(row, column);
    if (value.empty() || value.size() > longest_name)
        raise_wrong("a name of " + std::to_string(value.size()) + " bytes");
    return value;
}

std::int64_t Answer::integer(std::size_t row, std::size_t column, std::int64_t least, std::int64_t most) const {
    const std::string &value = text(row, column);
    const std::optional<std::int64_t> number = read_integer(value, least, most);
    if (!number)
        raise_wrong("no whole number from " + std::to_string(least) + " to " + std::to_string(most) + " in column " +
                    std::to_string(column + 1));
    return *number;
}

const std::string &Answer::digits(std::size_t row, std::size_t column, std::size_t most_digits) const {
    const std::string &value = text(row, column);
    if (!is_whole_number(value, most_digits))
        raise_wrong("no whole number of at most " + std::to_string(most_digits) + " digits in column " +
                    std::to_string(column + 1));
    return value;
}

void Answer::raise_wrong(const std::string &what) const {
    const RemoteConnection::Expectation expectation(*connection_, kind_, -1);
    connection_->raise_protocol_violation(what);
}

} // namespace pgci
