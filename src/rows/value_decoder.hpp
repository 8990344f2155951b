// Decodes one value from binary or text format to a Datum.
#pragma once

#include "server/pg.hpp"
#include "target/column_map.hpp"
#include "rows/value_arena.hpp"

namespace pgci {

// How to decode the values of one column. Plain data in PostgreSQL's memory, because an ERROR may skip destructors.
struct ValueDecoder {
    // The types that this file decodes itself; the others use the type's own function.
    enum class Kind : std::uint8_t {
        function,
        boolean,
        int16,
        int32,
        oid,
        int64,
        text,
        bytes,
        uuid,
        date,
        timestamp,
        numeric
    };

    FmgrInfo function; // the receive function, or the input function for text
    Oid io_parameter;
    int32 typmod;
    Kind kind;
    bool as_text;
    bool by_value;
    std::int16_t length; // of the type, -1: varlena
    std::int64_t header; // bytes of memory besides those of the value, if it is not passed by value
};

// The columns of a batch, and how to decode each of them.
struct ValueDecoders {
    TupleDesc description;
    ValueDecoder *columns;
};

// How the values of the columns arrive: as the map says, or all as texts.
enum class ValueFormat : std::uint8_t { of_map, text };

// Looks up how to read the columns of the map. PostgreSQL code. Allocates in `memory`.
ValueDecoders make_value_decoders(const ColumnMap &map, ValueFormat format, MemoryContext memory);

// Decodes a value of `length` bytes, which a zero byte follows, into the arena. Functions of types also allocate in the
// current memory context. PostgreSQL code. Raises 54000 for a value that is too large to be stored,
// 22P03, 22021, 22P02, 08P01 and the errors of the type.
Datum decode_value(ValueDecoder &decoder, char *value, int length, ValueArena &arena);

} // namespace pgci
