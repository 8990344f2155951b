#include "source_cursor.hpp"

#include <charconv>

#include "guard.hpp"
#include "sql_text.hpp"

namespace pgci {

// The query itself where every column comes in binary as it is; else a selection out of it. The line break ends a
// comment that the query may end in.
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

SourceCursor::SourceCursor(SourceSession &source, const SourceQuery &query, const ColumnMap &map, int batch)
    : source_(source), map_(map),
      batch_(batch), fetch_statement_{.sql = "FETCH FORWARD " + std::to_string(batch) + " FROM copy_incremental",
                                      .binary_result = true} {
    source_.connection().run(declare_statement(query, map), PGRES_COMMAND_OK);
    source_.connection().send(fetch_statement_);
}

Result SourceCursor::fetch() {
    Result batch = source_.connection().receive(fetch_statement_, PGRES_TUPLES_OK);
    check(batch.get());
    at_end_ = PQntuples(batch.get()) < batch_;
    if (at_end_)
        source_.send_commit();
    else
        source_.connection().send(fetch_statement_);
    return batch;
}

void SourceCursor::check(const PGresult *batch) const {
    RemoteConnection &connection = source_.connection();
    const int rows = PQntuples(batch);
    // The source says how many rows it sent: "FETCH 2000".
    const std::string_view tag = PQcmdTuples(const_cast<PGresult *>(batch));
    int announced = -1;
    std::from_chars(tag.data(), tag.data() + tag.size(), announced);
    if (announced != rows || rows > batch_)
        connection.raise_protocol_violation(std::to_string(rows) + " rows received, " + std::string(tag) +
                                            " announced, " + std::to_string(batch_) + " asked for");
    if (PQnfields(batch) != static_cast<int>(map_.columns.size()))
        connection.raise_protocol_violation("another number of columns than described");
    for (int i = 0; i < PQnfields(batch); ++i) {
        const MappedColumn &column = map_.columns[static_cast<std::size_t>(i)];
        if (PQftype(batch, i) != (column.as_text ? Oid{TEXTOID} : column.source_type) || PQfformat(batch, i) != 1)
            connection.raise_protocol_violation("another type of column \"" + column.name + "\" than described");
    }
    connection.check_protocol_settings();
}

} // namespace pgci
