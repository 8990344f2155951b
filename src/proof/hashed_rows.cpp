#include "proof/hashed_rows.hpp"

#include <charconv>
#include <string_view>

#include "server/guard.hpp"
#include "server/spi.hpp"

namespace pgci {

namespace {

std::string_view column(const PGresult *row, int number) {
    return {PQgetvalue(row, 0, number), static_cast<std::size_t>(PQgetlength(row, 0, number))};
}

} // namespace

SourceRows::SourceRows(RemoteConnection &connection, RemoteConnection::Statement statement)
    : connection_(connection), statement_(std::move(statement)) {
    connection_.send(statement_);
}

std::optional<HashedRow> SourceRows::next() {
    if (!has_begun_) connection_.begin_rows();
    has_begun_ = true;
    const PGresult *row = connection_.row_at_hand();
    if (row == nullptr) {
        if (connection_.await_row(statement_) != nullptr) return std::nullopt;
        row = connection_.row_at_hand();
    }
    HashedRow result;
    const auto to_number = [&](int number, std::int64_t &value) {
        const std::string_view text = column(row, number);
        return std::from_chars(text.data(), text.data() + text.size(), value).ptr == text.data() + text.size();
    };
    if (PQnfields(row) != 3 || !to_number(0, result.key_hash) || !to_number(1, result.hash))
        connection_.raise_protocol_violation("other columns than asked for");
    result.key = column(row, 2);
    return result;
}

TargetRows::TargetRows(const std::string &sql) {
    pg_call([&] {
        memory_ = AllocSetContextCreate(CurrentMemoryContext, "copy_incremental compared", ALLOCSET_DEFAULT_SIZES);
        spi_connect();
        portal_ = SPI_cursor_open(nullptr, spi_prepare(sql.c_str()), nullptr, nullptr, true);
    });
    fetch();
}

void TargetRows::fetch() {
    pg_call([this] {
        MemoryContextReset(memory_);
        SPI_cursor_fetch(portal_, true, rows_at_once);
        count_ = static_cast<std::size_t>(SPI_processed);
        position_ = 0;
        rows_ = static_cast<Row *>(MemoryContextAlloc(memory_, sizeof(Row) * rows_at_once));
        const TupleDesc columns = SPI_tuptable->tupdesc;
        const MemoryContext previous = MemoryContextSwitchTo(memory_);
        for (std::size_t i = 0; i < count_; ++i) {
            const HeapTuple tuple = SPI_tuptable->vals[i];
            bool is_null = false;
            rows_[i].key_hash = DatumGetInt64(SPI_getbinval(tuple, columns, 1, &is_null));
            rows_[i].hash = DatumGetInt64(SPI_getbinval(tuple, columns, 2, &is_null));
            rows_[i].key = TextDatumGetCString(SPI_getbinval(tuple, columns, 3, &is_null));
        }
        MemoryContextSwitchTo(previous);
        SPI_freetuptable(SPI_tuptable);
        if (count_ > 0) return;
        SPI_cursor_close(portal_);
        spi_finish();
        portal_ = nullptr;
    });
}

std::optional<HashedRow> TargetRows::next() {
    if (position_ == count_ && portal_ != nullptr) fetch();
    if (position_ == count_) return std::nullopt;
    const Row &row = rows_[position_++];
    return HashedRow{row.key_hash, row.hash, row.key};
}

} // namespace pgci
