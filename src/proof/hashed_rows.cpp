#include "proof/hashed_rows.hpp"

#include <limits>
#include <string_view>

#include "server/guard.hpp"
#include "server/spi.hpp"
#include "connection/foreign_number.hpp"

namespace pgci {

namespace {

// Without a key, a row is as long as the source can send one.
constexpr std::int64_t no_limit = -1;

std::string_view column(const PGresult *row, int number) {
    return {PQgetvalue(row, 0, number), static_cast<std::size_t>(PQgetlength(row, 0, number))};
}

} // namespace

SourceRows::SourceRows(RemoteConnection &connection, RemoteConnection::Statement statement, std::int64_t rows)
    : connection_(connection), statement_(std::move(statement)), rows_left_(rows) {
    connection_.send(statement_);
}

std::optional<HashedRow> SourceRows::next() {
    check_for_interrupts();
    const RemoteConnection::Expectation expectation(connection_, "the question about the rows", no_limit);
    if (!has_begun_) connection_.begin_rows();
    has_begun_ = true;
    const PGresult *row = connection_.row_at_hand().result;
    if (row == nullptr) {
        if (connection_.await_row(statement_) != nullptr) {
            if (rows_left_ != 0) connection_.raise_protocol_violation("fewer rows than the source has counted");
            return std::nullopt;
        }
        row = connection_.row_at_hand().result;
    }
    if (--rows_left_ < 0) connection_.raise_protocol_violation("more rows than the source has counted");
    HashedRow result;
    const auto to_number = [&](int number, std::int64_t &value) {
        constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
        constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
        const std::optional<std::int64_t> read = read_integer(column(row, number), least, most);
        value = read.value_or(0);
        return read.has_value();
    };
    if (PQnfields(row) != 3 || !to_number(0, result.key_hash) || !to_number(1, result.hash))
        connection_.raise_protocol_violation("other columns than asked for");
    result.key = column(row, 2);
    if (PQgetisnull(row, 0, 2) != 0 ||
        !pg_verify_mbstr(GetDatabaseEncoding(), result.key.data(), static_cast<int>(result.key.size()), true))
        connection_.raise_protocol_violation("no valid text of a key");
    if (last_ && result.is_before(*last_)) connection_.raise_protocol_violation("rows in another order than asked for");
    last_ = HashedRow{result.key_hash, result.hash};
    return result;
}

TargetRows::TargetRows(const std::string &sql, std::vector<std::string> key, const UsedRelation &must_read)
    : key_(std::move(key)) {
    pg_call([&] {
        memory_ = AllocSetContextCreate(CurrentMemoryContext, "copy_incremental compared", ALLOCSET_DEFAULT_SIZES);
        const MemoryContext rows_memory =
            AllocSetContextCreate(CurrentMemoryContext, "copy_incremental rows", ALLOCSET_DEFAULT_SIZES);
        const MemoryContext previous = MemoryContextSwitchTo(rows_memory);
        store_ = tuplestore_begin_heap(false, false, work_mem);
        MemoryContextSwitchTo(previous);
        // Not with a cursor, whose query cannot use parallel workers.
        spi_connect();
        const SPIPlanPtr plan = spi_prepare(sql.c_str(), 0, nullptr, CURSOR_OPT_PARALLEL_OK);
        check_uses(plan, must_read);
        SPIExecuteOptions options{};
        options.read_only = true;
        options.dest = CreateTuplestoreDestReceiver();
        SetTuplestoreDestReceiverParams(options.dest, store_, rows_memory, false, nullptr, nullptr);
        if (const int code = SPI_execute_plan_extended(plan, &options); code != SPI_OK_SELECT)
            raise_spi("SPI_execute_plan", code);
        check_uses(plan, must_read); // SPI may have analyzed the query again
        const auto *const source = static_cast<const CachedPlanSource *>(linitial(SPI_plan_get_plan_sources(plan)));
        MemoryContextSwitchTo(rows_memory);
        slot_ = MakeSingleTupleTableSlot(CreateTupleDescCopy(source->resultDesc), &TTSOpsMinimalTuple);
        spi_finish();
    });
}

// The same object as the source makes. PostgreSQL code.
const char *TargetRows::key_as_json() const {
    slot_getallattrs(slot_);
    StringInfoData json;
    initStringInfo(&json);
    appendStringInfoChar(&json, '{');
    for (std::size_t i = 0; i < key_.size(); ++i) {
        appendStringInfoString(&json, i == 0 ? "" : ", ");
        escape_json(&json, key_[i].c_str());
        appendStringInfoString(&json, ": ");
        const std::size_t column = 2 + i;
        if (slot_->tts_isnull[column]) {
            appendStringInfoString(&json, "null");
            continue;
        }
        Oid output = InvalidOid;
        bool is_varlena = false;
        getTypeOutputInfo(TupleDescAttr(slot_->tts_tupleDescriptor, static_cast<int>(column))->atttypid, &output,
                          &is_varlena);
        escape_json(&json, OidOutputFunctionCall(output, slot_->tts_values[column]));
    }
    appendStringInfoChar(&json, '}');
    return json.data;
}

void TargetRows::fetch() {
    count_ = position_ = 0;
    pg_call([this] {
        MemoryContextReset(memory_);
        const MemoryContext previous = MemoryContextSwitchTo(memory_);
        rows_ = static_cast<Row *>(palloc(sizeof(Row) * rows_at_once));
        constexpr Size most_memory = 256 * 1024;
        while (count_ < rows_at_once && MemoryContextMemAllocated(memory_, false) < most_memory &&
               tuplestore_gettupleslot(store_, true, false, slot_)) {
            CHECK_FOR_INTERRUPTS();
            bool is_null = false;
            Row &row = rows_[count_++];
            row.key_hash = DatumGetInt64(slot_getattr(slot_, 1, &is_null));
            row.hash = DatumGetInt64(slot_getattr(slot_, 2, &is_null));
            row.key = key_as_json();
        }
        ExecClearTuple(slot_); // its tuple, if read from a file, is in the memory to be reset
        MemoryContextSwitchTo(previous);
        if (count_ > 0) return;
        ExecDropSingleTupleTableSlot(slot_);
        tuplestore_end(store_);
        store_ = nullptr;
    });
}

std::optional<HashedRow> TargetRows::next() {
    if (position_ == count_ && store_ != nullptr) fetch();
    if (position_ == count_) return std::nullopt;
    const Row &row = rows_[position_++];
    return HashedRow{row.key_hash, row.hash, row.key};
}

} // namespace pgci
