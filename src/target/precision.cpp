#include "target/precision.hpp"

#include "server/guard.hpp"

namespace pgci {

namespace {

// A type without arrays and domains, and its modifier.
struct Scalar {
    Oid type;
    int32 typmod;
};

Scalar scalar_of(Oid type, int32 typmod) {
    const Oid base = getBaseTypeAndTypmod(type, &typmod);
    const Oid element = get_element_type(base);
    return OidIsValid(element) ? Scalar{element, typmod} : Scalar{base, typmod};
}

constexpr int all_digits = 6; // of a second
constexpr int no_time = -1;

// Returns the number of digits of a second, or no_time.
int second_digits(const Scalar &scalar) {
    switch (scalar.type) {
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case TIMEOID:
    case TIMETZOID:
        return scalar.typmod < 0 ? all_digits : scalar.typmod;
    case INTERVALOID:
        return scalar.typmod < 0 ? all_digits : std::min<int>(INTERVAL_PRECISION(scalar.typmod), all_digits);
    default:
        return no_time;
    }
}

bool is_whole(Oid type) { return type == INT2OID || type == INT4OID || type == INT8OID; }
bool is_float(Oid type) { return type == FLOAT4OID || type == FLOAT8OID; }

constexpr int any_scale = 1 << 14; // more than a modifier can limit it to

// Returns the number of decimals of a number type.
int scale_of(const Scalar &scalar) {
    if (is_whole(scalar.type)) return 0;
    if (scalar.type != NUMERICOID || scalar.typmod < 0) return any_scale;
    // As numeric_typmod_scale() of the server.
    constexpr int bits = 0x7ff;
    constexpr int sign = 1024;
    return (((scalar.typmod - VARHDRSZ) & bits) ^ sign) - sign;
}

std::string lost_of_time(const Scalar &from, const Scalar &into) {
    const bool from_moment = from.type == TIMESTAMPOID || from.type == TIMESTAMPTZOID;
    const bool into_time = into.type == TIMEOID || into.type == TIMETZOID;
    if (from_moment && into.type == DATEOID) return "without the time of day";
    if (from_moment && into_time) return "without the date";
    if (from.type == INTERVALOID && into_time) return "without days and months";
    if (from.type == TIMETZOID && into.type == TIMEOID) return "without the time zone";
    if (second_digits(from) > second_digits(into) && second_digits(into) != no_time)
        return "rounded to " + std::to_string(second_digits(into)) + " digits of a second";
    return "";
}

std::string lost_of_number(const Scalar &from, const Scalar &into) {
    if (!is_whole(from.type) && !is_float(from.type) && from.type != NUMERICOID) return "";
    if (is_whole(into.type) && scale_of(from) > 0) return "rounded to a whole number";
    if (into.type == NUMERICOID && scale_of(into) < scale_of(from))
        return "rounded to " + std::to_string(scale_of(into)) + " decimals";
    if (into.type == FLOAT4OID && from.type != FLOAT4OID && from.type != INT2OID) return "rounded to about 6 digits";
    if (into.type == FLOAT8OID && (from.type == NUMERICOID || from.type == INT8OID))
        return "rounded to about 15 digits";
    return "";
}

// Returns how many digits before the point a number type can have; any_scale for any number of them.
int whole_digits(const Scalar &scalar) {
    if (scalar.type == INT2OID) return 5;
    if (scalar.type == INT4OID) return 10;
    if (scalar.type == INT8OID) return 19;
    if (scalar.type != NUMERICOID || scalar.typmod < 0) return any_scale;
    return ((scalar.typmod - VARHDRSZ) >> 16) - scale_of(scalar);
}

bool widens_number(const Scalar &from, const Scalar &into) {
    if (is_whole(from.type) && is_whole(into.type)) return whole_digits(from) <= whole_digits(into);
    if (into.type == NUMERICOID && (is_whole(from.type) || from.type == NUMERICOID))
        return whole_digits(from) <= whole_digits(into) && scale_of(from) <= scale_of(into);
    return from.type == FLOAT4OID && into.type == FLOAT8OID;
}

bool widens_text(const Scalar &from, const Scalar &into) {
    const auto is_text = [](Oid type) { return type == TEXTOID || type == VARCHAROID; };
    const auto length = [](const Scalar &scalar) {
        return scalar.type == TEXTOID || scalar.typmod < 0 ? MaxAllocSize : static_cast<Size>(scalar.typmod);
    };
    return is_text(from.type) && is_text(into.type) && length(from) <= length(into);
}

// Blanks at the end of character(n) have no meaning.
bool widens_length(const Scalar &from, const Scalar &into) {
    return from.type == into.type && (from.type == BPCHAROID || from.type == VARBITOID) && from.typmod >= 0 &&
           from.typmod <= into.typmod;
}

bool widens_time(const Scalar &from, const Scalar &into) {
    if (from.type != into.type || second_digits(from) == no_time) return false;
    const auto fields = [](const Scalar &scalar) {
        return scalar.type == INTERVALOID && scalar.typmod >= 0 ? INTERVAL_RANGE(scalar.typmod) : INTERVAL_FULL_RANGE;
    };
    return second_digits(from) <= second_digits(into) &&
           (fields(from) == fields(into) || fields(into) == INTERVAL_FULL_RANGE);
}

struct Pair {
    Scalar from;
    Scalar into;
};

// A type that only the source knows, or that it made up, is sent as text: no type.
Scalar scalar_of_source(Oid type, int32 typmod) {
    const bool is_known = type < FirstGenbkiObjectId && SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type));
    return is_known ? scalar_of(type, typmod) : Scalar{InvalidOid, -1};
}

Pair scalars(const SourceColumn &from, const TargetColumn &into) {
    return pg_call([&] { return Pair{scalar_of_source(from.type, from.typmod), scalar_of(into.type, into.typmod)}; });
}

} // namespace

bool widens(Oid from, int from_typmod, Oid into, int into_typmod) {
    return pg_call([=] {
        if (OidIsValid(get_element_type(from)) != OidIsValid(get_element_type(into))) return false;
        const Scalar narrow = scalar_of(from, from_typmod);
        const Scalar wide = scalar_of(into, into_typmod);
        if (narrow.type == wide.type && (wide.typmod < 0 || wide.typmod == narrow.typmod)) return true;
        return widens_number(narrow, wide) || widens_text(narrow, wide) || widens_length(narrow, wide) ||
               widens_time(narrow, wide);
    });
}

std::string find_lost_precision(const SourceColumn &from, const TargetColumn &into) {
    const Pair pair = scalars(from, into);
    if (!OidIsValid(pair.from.type)) return "";
    const std::string lost = lost_of_time(pair.from, pair.into);
    return lost.empty() ? lost_of_number(pair.from, pair.into) : lost;
}

bool rounds_seconds(const SourceColumn &from, const TargetColumn &into) {
    const Pair pair = scalars(from, into);
    return second_digits(pair.into) != no_time && second_digits(pair.from) > second_digits(pair.into);
}

} // namespace pgci
