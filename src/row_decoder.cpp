#include "row_decoder.hpp"

#include "guard.hpp"
#include "settings.hpp"

namespace pgci {

// Plain data in PostgreSQL's memory: it is used where an ERROR may jump.
struct RowDecoder::Column {
    FmgrInfo function;
    Oid io_parameter;
    int32 typmod;
    bool as_text;
};

namespace {

// How much of a batch is held in memory before it goes to a temporary file, in kilobytes.
constexpr int batch_memory = 16 * 1024;

// Receive functions convert text from this session's client encoding, but the source sends the database's.
class DatabaseEncodingScope {
  public:
    DatabaseEncodingScope() : client_encoding_(pg_get_client_encoding()) { SetClientEncoding(GetDatabaseEncoding()); }
    ~DatabaseEncodingScope() { SetClientEncoding(client_encoding_); }
    DatabaseEncodingScope(const DatabaseEncodingScope &) = delete;
    DatabaseEncodingScope &operator=(const DatabaseEncodingScope &) = delete;

  private:
    int client_encoding_;
};

// The place of the value that is being decoded, for the error context.
struct Position {
    TupleDesc description;
    std::int64_t row;
    int column;
};

void show_position(void *argument) {
    const auto *const position = static_cast<const Position *>(argument);
    if (position->column < position->description->natts)
        errcontext("column \"%s\" of row " INT64_FORMAT " of the source",
                   NameStr(TupleDescAttr(position->description, position->column)->attname), position->row);
}

Datum decode_text(RowDecoder::Column *column, char *value, int length) {
    (void)pg_verify_mbstr(GetDatabaseEncoding(), value, length, false);
    return InputFunctionCall(&column->function, value, column->io_parameter, column->typmod);
}

Datum decode_binary(RowDecoder::Column *column, char *value, int length) {
    // libpq ends every value with a zero byte, as receive functions expect.
    StringInfoData buffer{};
    buffer.data = value;
    buffer.len = length;
    buffer.maxlen = length;
    const Datum datum = ReceiveFunctionCall(&column->function, &buffer, column->io_parameter, column->typmod);
    if (buffer.cursor != length)
        ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION), errmsg("incorrect binary data format")));
    return datum;
}

// Returns the size of the values.
std::int64_t decode_rows(const PGresult *result, RowDecoder::Column *columns, const Batch &batch, Position &position,
                         MemoryContext row_memory) {
    const int count = batch.description->natts;
    auto *const values = static_cast<Datum *>(palloc(sizeof(Datum) * static_cast<Size>(count)));
    auto *const nulls = static_cast<bool *>(palloc(sizeof(bool) * static_cast<Size>(count)));
    const int rows = PQntuples(result);
    std::int64_t bytes = 0;
    for (int row = 0; row < rows; ++row) {
        CHECK_FOR_INTERRUPTS();
        ++position.row;
        const MemoryContext previous = MemoryContextSwitchTo(row_memory);
        for (int i = 0; i < count; ++i) {
            position.column = i;
            nulls[i] = PQgetisnull(result, row, i) != 0;
            if (nulls[i]) {
                values[i] = Datum{0};
                continue;
            }
            char *const value = PQgetvalue(result, row, i);
            const int length = PQgetlength(result, row, i);
            bytes += length;
            values[i] = columns[i].as_text ? decode_text(&columns[i], value, length)
                                           : decode_binary(&columns[i], value, length);
        }
        position.column = count;
        MemoryContextSwitchTo(previous);
        tuplestore_putvalues(batch.rows, batch.description, values, nulls);
        MemoryContextReset(row_memory);
    }
    pfree(values);
    pfree(nulls);
    return bytes;
}

// Text forms are read by these settings; those that the source has too are the same there.
void use_text_settings() {
    for (const auto &[name, value] :
         {std::pair("DateStyle", "ISO, YMD"), std::pair("IntervalStyle", "postgres"), std::pair("xmloption", "content"),
          std::pair("lc_monetary", "C"), std::pair("array_nulls", "on")})
        set_for_level(name, value);
}

} // namespace

RowDecoder::RowDecoder(const ColumnMap &map, MemoryContext memory) {
    const int count = static_cast<int>(map.columns.size());
    pg_call([&] {
        MemoryContextSwitchTo(memory);
        row_memory_ = AllocSetContextCreate(memory, "copy_incremental row", ALLOCSET_DEFAULT_SIZES);
        description_ = CreateTemplateTupleDesc(count);
        columns_ = static_cast<Column *>(palloc0(sizeof(Column) * static_cast<Size>(count)));
        for (int i = 0; i < count; ++i) {
            const MappedColumn &mapped = map.columns[static_cast<std::size_t>(i)];
            Column &column = columns_[i];
            Oid function = InvalidOid;
            column.as_text = mapped.as_text;
            column.typmod = mapped.batch_typmod;
            if (mapped.as_text)
                getTypeInputInfo(mapped.batch_type, &function, &column.io_parameter);
            else
                getTypeBinaryInputInfo(mapped.batch_type, &function, &column.io_parameter);
            fmgr_info_cxt(function, &column.function, memory);
            TupleDescInitEntry(description_, static_cast<AttrNumber>(i + 1), mapped.name.c_str(), mapped.batch_type, -1,
                               0);
            if (mapped.as_text) depends_on_settings_ = true;
        }
    });
}

Batch RowDecoder::decode(const PGresult *result, std::int64_t rows_before, std::int64_t &bytes) const {
    const DatabaseEncodingScope encoding;
    return pg_call([&] {
        Position position{description_, rows_before, description_->natts};
        ErrorContextCallback context{};
        context.callback = show_position;
        context.arg = &position;
        context.previous = error_context_stack;
        error_context_stack = &context;

        const int settings = depends_on_settings_ ? NewGUCNestLevel() : 0;
        if (depends_on_settings_) use_text_settings();
        Batch batch;
        batch.rows = tuplestore_begin_heap(false, false, batch_memory);
        batch.description = description_;
        bytes += decode_rows(result, columns_, batch, position, row_memory_);
        if (depends_on_settings_) AtEOXact_GUC(true, settings);

        error_context_stack = context.previous;
        return batch;
    });
}

} // namespace pgci
