// Wire bytes of one value to a Datum.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// How the values of one column are decoded. Plain data in PostgreSQL's memory: it is used where an ERROR may jump.
struct ValueDecoder {
    // What this file decodes by itself; all else goes to the type's own function.
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

    FmgrInfo function; // the type's receive function, or its input function for text
    Oid io_parameter;
    int32 typmod;
    Kind kind;
    bool as_text;
};

// Looks up how values of `type` are read, out of their binary form or, `as_text`, out of their text; PostgreSQL code.
// What the decoder needs lives in `memory`.
void init_value_decoder(ValueDecoder &decoder, Oid type, int32 typmod, bool as_text, MemoryContext memory);

// Decodes a value of `length` bytes, behind which a zero byte stands, in the current memory context; PostgreSQL code.
// Raises 22P03, 22021, 22P02, 08P01 and whatever the type refuses.
Datum decode_value(ValueDecoder &decoder, char *value, int length);

} // namespace pgci
