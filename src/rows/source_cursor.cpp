#include "rows/source_cursor.hpp"

#include <charconv>

#include "server/guard.hpp"
#include "server/sql_text.hpp"

namespace pgci {

// Returns the query itself if every column is sent in binary and unchanged, else a SELECT from it. The line break ends
// a comment at the end of the query.
RemoteConnection::Statement declare_statement(const SourceQuery &query, const ColumnMap &map) {
    std::string head = "DECLARE copy_incremental NO SCROLL CURSOR FOR ";
    std::string tail;
    if (!map.all_binary_in_order) {
        head += "SELECT ";
        for (std::size_t i = 0; i < map.columns.size(); ++i) {
            const MappedColumn &column = map.columns[i];
            if (i > 0) head += ", ";
            head += "q." + quote_identifier(column.name);
            if (column.as_text) head += "::pg_catalog.text";
        }
        head += " FROM (";
        tail = "\n) AS q";
    }
    const int offset = pg_mbstrlen_with_len(head.data(), static_cast<int>(head.size()));
    return {.sql = head + query.text() + tail,
            .shown_query = query.text(),
            .shown_offset = offset,
            .parameters = query.parameters()};
}

SourceCursor::SourceCursor(SourceSession &source, const SourceQuery &query, const ColumnMap &map, int batch,
                           std::int64_t bound)
    : source_(source), map_(map), ahead_(batch, bound, source.connection().is_in_pipeline()) {
    const RemoteConnection::Statement declare = declare_statement(query, map);
    connection().send(declare);
    // Without a pipeline, nothing can be sent before the answer.
    if (connection().is_in_pipeline()) send_fetches();
    connection().receive_command(declare);
    send_fetches();
    begin_fetch();
}

void SourceCursor::send_fetches() {
    while (asked_.size() < static_cast<std::size_t>(ahead_.depth())) {
        fetch_.sql = "FETCH FORWARD " + std::to_string(ahead_.rows()) + " FROM copy_incremental";
        connection().send(fetch_);
        asked_.push_back(ahead_.rows());
    }
}

void SourceCursor::begin_fetch() {
    rows_ = 0;
    bytes_ = 0;
    is_checked_ = false;
    waits_before_ = connection().waits();
    connection().begin_rows();
}

const PGresult *SourceCursor::row_at_hand() noexcept {
    if (at_end_ || !is_checked_) return nullptr;
    const PGresult *const row = connection().row_at_hand();
    if (row != nullptr) ++rows_;
    return row;
}

bool SourceCursor::await_row() {
    while (!at_end_) {
        const Result end = connection().await_row(fetch_);
        if (end == nullptr) {
            if (!is_checked_) check_columns(connection().peek_row());
            is_checked_ = true;
            return true;
        }
        end_fetch(end.get());
    }
    return false;
}

void SourceCursor::ask_ahead() {
    if (at_end_ || rows_ < asked_.front()) return;
    const Result end = connection().await_row(fetch_);
    if (end == nullptr) connection().raise_protocol_violation("more rows than a FETCH asked for");
    end_fetch(end.get());
}

void SourceCursor::end_fetch(const PGresult *end) {
    // The command tag has the number of sent rows: "FETCH 2000".
    const std::string_view tag = PQcmdTuples(const_cast<PGresult *>(end));
    int announced = -1;
    std::from_chars(tag.data(), tag.data() + tag.size(), announced);
    const int asked = asked_.front();
    if (announced != rows_ || rows_ > asked || PQntuples(end) != 0)
        connection().raise_protocol_violation(std::to_string(rows_) + " rows received, " + std::string(tag) +
                                              " announced, " + std::to_string(asked) + " asked for");
    check_columns(end);
    connection().check_protocol_settings();
    asked_.pop_front();
    if (rows_ == asked) {
        ahead_.learn(rows_, bytes_, connection().waits() > waits_before_);
        send_fetches();
        begin_fetch();
        return;
    }
    // Pending FETCHes return no more rows.
    at_end_ = true;
    source_.send_commit();
}

void SourceCursor::finish() {
    for (; !asked_.empty(); asked_.pop_front()) {
        connection().begin_rows();
        if (connection().await_row(fetch_) == nullptr) connection().raise_protocol_violation("rows after the last one");
    }
    source_.receive_commit();
}

void SourceCursor::check_columns(const PGresult *result) const {
    if (PQnfields(result) != static_cast<int>(map_.columns.size()))
        connection().raise_protocol_violation("another number of columns than described");
    for (int i = 0; i < PQnfields(result); ++i) {
        const MappedColumn &column = map_.columns[static_cast<std::size_t>(i)];
        if (PQftype(result, i) != (column.as_text ? Oid{TEXTOID} : column.source_type) || PQfformat(result, i) != 1)
            connection().raise_protocol_violation("another type of column \"" + column.name + "\" than described");
    }
}

} // namespace pgci
