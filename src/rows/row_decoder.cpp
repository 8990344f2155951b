#include "rows/row_decoder.hpp"

#include <algorithm>

#include "server/guard.hpp"
#include "server/settings.hpp"
#include "server/shown_text.hpp"
#include "server/subtransaction.hpp"

namespace pgci {

RowDecoder::RowDecoder(const ColumnMap &map, MemoryContext memory)
    : row_overhead_(static_cast<std::int64_t>(map.columns.size() * (sizeof(Datum) + sizeof(bool)))),
      column_(static_cast<int>(map.columns.size())),
      depends_on_settings_(std::any_of(map.columns.begin(), map.columns.end(),
                                       [](const MappedColumn &column) { return column.as_text; })) {
    pg_call([&, this] {
        const ValueDecoders made = make_value_decoders(map, ValueFormat::of_map, memory);
        description_ = made.description;
        decoders_ = made.columns;
        scratch_ = AllocSetContextCreate(memory, "copy_incremental value", ALLOCSET_DEFAULT_SIZES);
    });
}

std::int64_t RowDecoder::decode(RemoteConnection::Row row, Batch &batch) {
    // Only functions that decode a value allocate here.
    const MemoryContext previous = MemoryContextSwitchTo(scratch_);
    ValueArena &arena = batch.values();
    const Batch::Row into = batch.next();
    const int count = description_->natts;
    std::int64_t bytes = 0;
    row_size_ = row_overhead_;
    ++row_;
    source_row_ = row;
    for (column_ = 0; column_ < count; ++column_) {
        const int length = PQgetlength(row.result, row.number, column_);
        into.nulls[column_] = length == 0 && PQgetisnull(row.result, row.number, column_) != 0;
        if (into.nulls[column_]) {
            into.values[column_] = Datum{0};
            continue;
        }
        bytes += length;
        ValueDecoder &decoder = decoders_[column_];
        if (!decoder.by_value) row_size_ += decoder.header + length;
        char *const value = PQgetvalue(row.result, row.number, column_);
        into.values[column_] = decode_value(decoder, value, length, arena);
    }
    // A function may allocate much more than its result.
    constexpr Size most_scratch = 64 * 1024;
    if (MemoryContextMemAllocated(scratch_, false) > most_scratch) MemoryContextReset(scratch_);
    MemoryContextSwitchTo(previous);
    batch.add();
    return bytes;
}

// The function that failed may have allocated memory.
void RowDecoder::give_up_row() {
    column_ = description_->natts;
    pg_call([this] { MemoryContextReset(scratch_); });
}

// Returns nothing for a value that cannot be shown.
std::optional<std::string> RowDecoder::show_value(int column) const {
    char *const value = PQgetvalue(source_row_.result, source_row_.number, column);
    const int length = PQgetlength(source_row_.result, source_row_.number, column);
    if (decoders_[column].as_text) {
        if (!pg_verifymbstr(value, length, true)) return std::nullopt;
        return std::string(value, static_cast<std::size_t>(length));
    }
    if (column == column_) return std::nullopt;
    std::string text;
    // In a separate subtransaction, because values after the failed one may fail too.
    const std::optional<RunFailure> failure = in_subtransaction([&] {
        const char *const shown = pg_call([&] {
            const int settings = NewGUCNestLevel();
            set_text_output_for_level();
            Oid output = InvalidOid;
            bool is_varlena = false;
            getTypeOutputInfo(TupleDescAttr(description_, column)->atttypid, &output, &is_varlena);
            ValueArena arena;
            arena.create(CurrentMemoryContext);
            const char *const shown_value =
                OidOutputFunctionCall(output, decode_value(decoders_[column], value, length, arena));
            AtEOXact_GUC(true, settings);
            return shown_value;
        });
        text = shown;
    });
    return failure ? std::nullopt : std::optional(std::move(text));
}

RowDecoder::ShownRow RowDecoder::show_row() {
    ShownRow shown{.json = "{"};
    for (int i = 0; i < description_->natts; ++i) {
        const char *const name = NameStr(TupleDescAttr(description_, i)->attname);
        const bool is_null = PQgetisnull(source_row_.result, source_row_.number, i) != 0;
        const std::optional<std::string> value = is_null ? std::nullopt : show_value(i);
        std::string substitute = "(not decoded)";
        if (decoders_[i].as_text)
            substitute = sanitize(PQgetvalue(source_row_.result, source_row_.number, i),
                                  static_cast<std::size_t>(PQgetlength(source_row_.result, source_row_.number, i)));
        const char *const text = is_null ? nullptr : value ? value->c_str() : substitute.c_str();
        shown.is_whole = shown.is_whole && (is_null || value);
        shown.json += i == 0 ? "" : ", ";
        shown.json += pg_call([=] {
            StringInfoData member;
            initStringInfo(&member);
            escape_json(&member, name);
            appendStringInfoString(&member, ": ");
            if (text == nullptr)
                appendStringInfoString(&member, "null");
            else
                escape_json(&member, text);
            return member.data;
        });
    }
    shown.json += "}";
    return shown;
}

// The source uses the same values of the parameters that it has too.
void RowDecoder::begin() {
    if (!depends_on_settings_) return;
    settings_ = pg_call([] {
        const int level = NewGUCNestLevel();
        set_text_input_for_level();
        return level;
    });
}

void RowDecoder::end() {
    if (depends_on_settings_) pg_call([this] { AtEOXact_GUC(true, settings_); });
}

void RowDecoder::show_position() const {
    if (!is_decoding()) return;
    // Receive functions report a value that is too short as a protocol violation, but one that is too long as invalid
    // binary data. In both cases the value is invalid and not the protocol: libpq has checked the message lengths.
    if (geterrcode() == ERRCODE_PROTOCOL_VIOLATION) errcode(ERRCODE_INVALID_BINARY_REPRESENTATION);
    errcontext("column \"%s\" of row " INT64_FORMAT " of the source",
               NameStr(TupleDescAttr(description_, column_)->attname), row_);
}

} // namespace pgci
