#include "rows/value_decoder.hpp"

namespace pgci {

namespace {

using Kind = ValueDecoder::Kind;

Kind binary_kind(Oid type) {
    switch (type) {
    case BOOLOID:
        return Kind::boolean;
    case INT2OID:
        return Kind::int16;
    case INT4OID:
    case FLOAT4OID:
        return Kind::int32;
    case OIDOID:
        return Kind::oid;
    case INT8OID:
    case FLOAT8OID:
        return Kind::int64;
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
        return Kind::text;
    case BYTEAOID:
        return Kind::bytes;
    case UUIDOID:
        return Kind::uuid;
    case DATEOID:
        return Kind::date;
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
        return Kind::timestamp;
    case NUMERICOID:
        return Kind::numeric;
    default:
        return Kind::function;
    }
}

// Integers are sent in network byte order.
std::uint16_t read_16(const char *value) {
    std::uint16_t number = 0;
    std::memcpy(&number, value, sizeof number);
    return pg_ntoh16(number);
}

std::uint32_t read_32(const char *value) {
    std::uint32_t number = 0;
    std::memcpy(&number, value, sizeof number);
    return pg_ntoh32(number);
}

std::uint64_t read_64(const char *value) {
    std::uint64_t number = 0;
    std::memcpy(&number, value, sizeof number);
    return pg_ntoh64(number);
}

Datum make_varlena(const char *bytes, int length, ValueArena &arena) {
    auto *const result = static_cast<struct varlena *>(arena.allocate(static_cast<Size>(length) + VARHDRSZ));
    SET_VARSIZE(result, length + VARHDRSZ);
    std::memcpy(VARDATA(result), bytes, static_cast<Size>(length));
    return PointerGetDatum(result);
}

Datum call_function(ValueDecoder &decoder, char *value, int length) {
    // Receive functions need a zero byte after the value; libpq adds one.
    StringInfoData buffer{};
    buffer.data = value;
    buffer.len = length;
    buffer.maxlen = length;
    const Datum datum = ReceiveFunctionCall(&decoder.function, &buffer, decoder.io_parameter, decoder.typmod);
    if (buffer.cursor != length)
        ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION), errmsg("incorrect binary data format")));
    return datum;
}

// Builds the stored form of a numeric from the output of numeric_send: base-10000 digits after weight, sign and scale.
// The layout is that of numeric.c, which pg_upgrade requires to be stable. Returns false for input that only the
// receive function can check: special values, digits that are not normalized, and anything that a server does not send.
bool decode_numeric(const char *value, int length, ValueArena &arena, Datum &result) {
    constexpr int header = 8;
    constexpr int most_digits = 1000;
    constexpr std::uint16_t negative = 0x4000;
    constexpr std::uint16_t short_form = 0x8000;
    constexpr std::uint16_t short_negative = 0x2000;
    constexpr int short_scale_shift = 7;
    constexpr std::uint16_t short_weight_mask = 0x007F;
    if (length < header) return false;
    const int digits = read_16(value);
    const int weight = static_cast<std::int16_t>(read_16(value + 2));
    const std::uint16_t sign = read_16(value + 4);
    const int scale = read_16(value + 6);
    if (digits == 0 || digits > most_digits || length != header + 2 * digits) return false;
    if (sign != 0 && sign != negative) return false;
    if (weight < -64 || weight > 63 || scale > 63) return false;
    if (read_16(value + header) == 0 || read_16(value + length - 2) == 0) return false;
    // Digits beyond the scale would have to be removed.
    constexpr std::array<int, 4> beyond_scale{1, 1000, 100, 10};
    const int groups_behind_point = digits - weight - 1;
    if (groups_behind_point > (scale + 3) / 4) return false;
    if (groups_behind_point * 4 > scale && read_16(value + length - 2) % beyond_scale[scale % 4] != 0) return false;

    const Size size = VARHDRSZ + sizeof(std::uint16_t) * (static_cast<Size>(digits) + 1);
    auto *const numeric = static_cast<struct varlena *>(arena.allocate(size));
    SET_VARSIZE(numeric, size);
    auto *const parts = reinterpret_cast<std::uint16_t *>(VARDATA(numeric));
    parts[0] = static_cast<std::uint16_t>(short_form | (sign == negative ? short_negative : 0) |
                                          (scale << short_scale_shift) | (weight & short_weight_mask));
    for (int i = 0; i < digits; ++i) {
        const std::uint16_t digit = read_16(value + header + 2 * i);
        if (digit > 9999) return false;
        parts[i + 1] = digit;
    }
    result = PointerGetDatum(numeric);
    return true;
}

void init_value_decoder(ValueDecoder &decoder, Oid type, int32 typmod, bool as_text, MemoryContext memory) {
    Oid function = InvalidOid;
    if (as_text)
        getTypeInputInfo(type, &function, &decoder.io_parameter);
    else
        getTypeBinaryInputInfo(type, &function, &decoder.io_parameter);
    fmgr_info_cxt(function, &decoder.function, memory);
    decoder.typmod = typmod;
    decoder.as_text = as_text;
    get_typlenbyval(type, &decoder.length, &decoder.by_value);
    decoder.header = VARHDRSZ + MAXIMUM_ALIGNOF; // and alignment
    decoder.kind = as_text || typmod >= 0 ? Kind::function : binary_kind(type);
}

} // namespace

ValueDecoders make_value_decoders(const ColumnMap &map, ValueFormat format, MemoryContext memory) {
    const std::size_t count = map.columns.size();
    const MemoryContext previous = MemoryContextSwitchTo(memory);
    const ValueDecoders decoders{.description = CreateTemplateTupleDesc(static_cast<int>(count)),
                                 .columns = static_cast<ValueDecoder *>(palloc0(sizeof(ValueDecoder) * count))};
    for (std::size_t i = 0; i < count; ++i) {
        const MappedColumn &column = map.columns[i];
        init_value_decoder(decoders.columns[i], column.batch_type, column.batch_typmod,
                           format == ValueFormat::text || column.as_text, memory);
        TupleDescInitEntry(decoders.description, static_cast<AttrNumber>(i + 1), column.name.c_str(), column.batch_type,
                           -1, 0);
    }
    MemoryContextSwitchTo(previous);
    return decoders;
}

// A value that is not in the format or range of its kind is passed to the type's own function, which raises the error.
Datum decode_value(ValueDecoder &decoder, char *value, int length, ValueArena &arena) {
    // The length of a stored value has 30 bits, and palloc's limit is the same.
    if (constexpr int longest = MaxAllocSize - VARHDRSZ; length > longest)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("a value of %d bytes is too large", length),
                        errdetail("A value has at most %d bytes.", longest),
                        errhint("Leave the row out of the query, or shorten the value there.")));
    switch (decoder.kind) {
    case Kind::boolean:
        if (length == 1) return BoolGetDatum(value[0] != 0);
        break;
    case Kind::int16:
        if (length == 2) return Int16GetDatum(static_cast<std::int16_t>(read_16(value)));
        break;
    case Kind::int32:
        if (length == 4) return Int32GetDatum(static_cast<std::int32_t>(read_32(value)));
        break;
    case Kind::oid:
        // Unsigned: a negative number would set the upper half of the Datum.
        if (length == 4) return ObjectIdGetDatum(read_32(value));
        break;
    case Kind::int64:
        if (length == 8) return Int64GetDatum(static_cast<std::int64_t>(read_64(value)));
        break;
    case Kind::text:
        (void)pg_verify_mbstr(GetDatabaseEncoding(), value, length, false);
        return make_varlena(value, length, arena);
    case Kind::bytes:
        return make_varlena(value, length, arena);
    case Kind::uuid:
        if (length == UUID_LEN) {
            auto *const uuid = static_cast<char *>(arena.allocate(UUID_LEN));
            std::memcpy(uuid, value, UUID_LEN);
            return PointerGetDatum(uuid);
        }
        break;
    case Kind::date:
        if (length == 4) {
            const auto date = static_cast<DateADT>(read_32(value));
            if (IS_VALID_DATE(date)) return DateADTGetDatum(date);
        }
        break;
    case Kind::timestamp:
        if (length == 8) {
            const auto timestamp = static_cast<Timestamp>(read_64(value));
            if (IS_VALID_TIMESTAMP(timestamp)) return TimestampGetDatum(timestamp);
        }
        break;
    case Kind::numeric:
        if (Datum numeric = 0; decode_numeric(value, length, arena, numeric)) return numeric;
        break;
    case Kind::function:
        break;
    }
    if (!decoder.as_text) return arena.copy(call_function(decoder, value, length), decoder.by_value, decoder.length);
    (void)pg_verify_mbstr(GetDatabaseEncoding(), value, length, false);
    return arena.copy(InputFunctionCall(&decoder.function, value, decoder.io_parameter, decoder.typmod),
                      decoder.by_value, decoder.length);
}

} // namespace pgci
