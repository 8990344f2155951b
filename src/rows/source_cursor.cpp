#include "rows/source_cursor.hpp"

#include <charconv>

#include "server/guard.hpp"
#include "server/sql_text.hpp"
#include "source/source_plan.hpp"

namespace pgci {

namespace {

// Of rows that are kept together, which is done only if they are expected to be much smaller, and of an error.
constexpr std::int64_t most_kept_bytes = 256 << 20;

} // namespace

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
                           std::int64_t bound, bool estimates, Throttle &throttle)
    : source_(source), map_(map), ahead_(throttle.most_rows_of_fetch(batch), bound), throttle_(throttle) {
    if (throttle.must_look()) throttle.look(connection());
    const RemoteConnection::Statement declare = declare_statement(query, map);
    std::optional<RowEstimate> estimate;
    if (estimates) estimate.emplace(source, declare);
    connection().send(declare);
    send_fetches();
    if (estimate) estimated_rows_ = estimate->receive();
    connection().receive_command(declare);
    begin_fetch();
}

// Whether a FETCH of so many rows can be sent. If none is in flight, waits until it can. Otherwise the caller comes back after the
// next one; a question to the source also has to come after all of them, because results arrive in the order of the statements.
bool SourceCursor::may_send(int rows) {
    if (throttle_.is_off()) return true;
    if (!asked_.empty() && (throttle_.must_look() || !throttle_.may_read())) return false;
    throttle_.wait();
    if (throttle_.must_look()) {
        throttle_.look(connection());
        fetch_.sql.clear(); // it is the unnamed statement no longer
    }
    throttle_.count(rows);
    return true;
}

void SourceCursor::send_fetches() {
    if (asked_.size() > 1 && asked_rows_ > ahead_.ahead() * 3 / 4) return;
    bool is_last = false;
    while (!is_last && asked_.size() < ahead_.most_fetches()) {
        FetchAhead::Fetch next = ahead_.next(asked_rows_);
        if (!may_send(next.rows)) return;
        asked_rows_ += next.rows;
        is_last =
            asked_.size() + 1 == ahead_.most_fetches() || (!asked_.empty() && asked_rows_ + next.rows > ahead_.ahead());
        next.has_sync = is_last || !next.shares_sync || !throttle_.is_off();
        const std::string sql = "FETCH FORWARD " + std::to_string(next.rows) + " FROM copy_incremental";
        if (sql == fetch_.sql)
            connection().send_again(fetch_, next.has_sync);
        else {
            fetch_.sql = sql;
            connection().send(fetch_, next.has_sync);
        }
        asked_.push_back(next);
    }
}

void SourceCursor::begin_fetch() {
    rows_ = 0;
    bytes_ = widest_ = 0;
    is_checked_ = false;
    waits_before_ = connection().waits();
    kept_ = ahead_.kept(asked_.front().rows);
    connection().begin_rows(kept_, ahead_.chunk());
}

RemoteConnection::Row SourceCursor::row_at_hand() noexcept {
    if (at_end_ || !is_checked_) return {};
    const RemoteConnection::Row row = connection().row_at_hand();
    if (row.result != nullptr) ++rows_;
    return row;
}

bool SourceCursor::await_row() {
    while (!at_end_) {
        const bool is_one = kept_ == FetchAhead::Rows::one_by_one;
        const RemoteConnection::Expectation expectation(connection(), nullptr, is_one ? -1 : most_kept_bytes);
        const Result end = connection().await_row(fetch_, asked_.front().has_sync);
        if (end == nullptr) {
            if (!is_checked_) check_columns(connection().result_at_hand());
            is_checked_ = true;
            return true;
        }
        end_fetch(end.get());
    }
    return false;
}

void SourceCursor::ask_ahead() {
    if (at_end_ || rows_ < asked_.front().rows) return;
    const RemoteConnection::Expectation expectation(connection(), nullptr, most_kept_bytes);
    const Result end = connection().await_row(fetch_, asked_.front().has_sync);
    if (end == nullptr) connection().raise_protocol_violation("more rows than a FETCH asked for");
    end_fetch(end.get());
}

void SourceCursor::end_fetch(const PGresult *end) {
    // The command tag has the number of sent rows: "FETCH 2000".
    std::string_view tag = connection().command_tag(end);
    tag.remove_prefix(std::min(tag.size(), tag.rfind(' ') + 1));
    int announced = -1;
    std::from_chars(tag.data(), tag.data() + tag.size(), announced);
    const int asked = asked_.front().rows;
    const int in_end = kept_ == FetchAhead::Rows::whole_result ? rows_ : 0;
    if (announced != rows_ || rows_ > asked || PQntuples(end) != in_end)
        connection().raise_protocol_violation(std::to_string(rows_) + " rows received, " + std::string(tag) +
                                              " announced, " + std::to_string(asked) + " asked for");
    check_columns(end);
    connection().check_protocol_settings();
    asked_.pop_front();
    asked_rows_ -= asked;
    if (rows_ == asked) {
        ahead_.learn(rows_, bytes_, widest_, connection().waits() > waits_before_);
        send_fetches();
        begin_fetch();
        return;
    }
    // Pending FETCHes return no more rows.
    at_end_ = true;
    source_.send_commit();
}

void SourceCursor::finish() {
    const RemoteConnection::Expectation expectation(connection(), nullptr, most_kept_bytes);
    for (; !asked_.empty(); asked_.pop_front()) {
        connection().begin_rows();
        if (connection().await_row(fetch_, asked_.front().has_sync) == nullptr)
            connection().raise_protocol_violation("rows after the last one");
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
