#include "proof/compared_column.hpp"

#include "server/guard.hpp"
#include "server/sql_text.hpp"
#include "target/conversion.hpp"

namespace pgci {

namespace {

constexpr const char *as_text = "::pg_catalog.text";

// Citus 11 sends a cast of xml to its workers as a COLLATE.
std::string text_of(const std::string &value, Oid type) {
    return type == XMLOID ? "XMLSERIALIZE(CONTENT " + value + " AS pg_catalog.text)" : value + as_text;
}

struct StoredType {
    Oid type;
    int32 typmod;
};

StoredType stored_type(const TargetColumn &column) {
    return pg_call([&] {
        int32 typmod = column.typmod;
        const Oid base = getBaseTypeAndTypmod(column.type, &typmod);
        return StoredType{base, typmod};
    });
}

bool is_integer(Oid type) { return type == INT2OID || type == INT4OID || type == INT8OID; }
bool is_float(Oid type) { return type == FLOAT4OID || type == FLOAT8OID; }
bool is_known_to_both(Oid type) { return type < FirstGenbkiObjectId; }

// Removes trailing spaces as an assignment does. A value that an assignment would refuse keeps its length.
std::string fit_varchar(const std::string &text, int typmod) {
    const std::string length = std::to_string(typmod - VARHDRSZ);
    return "CASE WHEN pg_catalog.rtrim(pg_catalog.substr(" + text + ", " + length + " OPERATOR(pg_catalog.+) 1)) " +
           "OPERATOR(pg_catalog.=) '' THEN pg_catalog.substr(" + text + ", 1, " + length + ") ELSE " + text + " END";
}

// Rounds, but does not check the precision.
std::string fit_numeric(const std::string &number, int typmod) {
    if (typmod < VARHDRSZ) return number;
    const int scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
    return "pg_catalog.round(" + number + ", " + std::to_string(scale) + ")";
}

std::string integer_text(const std::string &value, Oid from, const StoredType &into) {
    if (is_integer(from)) return value;
    if (from == NUMERICOID) return "pg_catalog.round(" + value + ", 0)";
    if (!is_float(from)) return value + "::" + qualified_type_name(into.type);
    return "CASE WHEN pg_catalog.abs(" + value + "::pg_catalog.float8) OPERATOR(pg_catalog.<) 9.2e18 THEN " + value +
           "::pg_catalog.int8::pg_catalog.text ELSE " + value + as_text + " END";
}

// Converts a value of the source to another type, length or precision.
std::string convert(const std::string &value, Oid from, const StoredType &into) {
    switch (into.type) {
    case INT2OID:
    case INT4OID:
    case INT8OID:
        return integer_text(value, from, into);
    case NUMERICOID:
        return fit_numeric(from == NUMERICOID ? value : value + "::pg_catalog.numeric", into.typmod);
    case BPCHAROID:
        return "pg_catalog.rtrim(" + value + as_text + ")";
    case VARCHAROID:
        return into.typmod < VARHDRSZ ? value + as_text : fit_varchar(value + as_text, into.typmod);
    case TEXTOID:
        return value + as_text;
    case BITOID:
    case VARBITOID:
        return value;
    default:
        return value + "::" + qualified_type_name(into.type, into.typmod);
    }
}

// The type of what convert() returns, where it is the type that is stored.
Oid converted_type(const StoredType &into) {
    switch (into.type) {
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case BPCHAROID:
    case VARCHAROID:
    case TEXTOID:
    case BITOID:
    case VARBITOID:
        return InvalidOid;
    default:
        return into.type;
    }
}

const char *send_function(Oid type) {
    switch (type) {
    case FLOAT4OID:
        return "float4send";
    case FLOAT8OID:
        return "float8send";
    case NUMERICOID:
        return "numeric_send";
    case INTERVALOID:
        return "interval_send";
    case DATEOID:
        return "date_send";
    case TIMESTAMPOID:
        return "timestamp_send";
    case TIMESTAMPTZOID:
        return "timestamptz_send";
    case POINTOID:
        return "point_send";
    case LSEGOID:
        return "lseg_send";
    case PATHOID:
        return "path_send";
    case BOXOID:
        return "box_send";
    case POLYGONOID:
        return "poly_send";
    case LINEOID:
        return "line_send";
    case CIRCLEOID:
        return "circle_send";
    case DATERANGEOID:
    case TSRANGEOID:
    case TSTZRANGEOID:
        return "range_send";
    case DATEMULTIRANGEOID:
    case TSMULTIRANGEOID:
    case TSTZMULTIRANGEOID:
        return "multirange_send";
    default:
        return "";
    }
}

ComparedColumn compare(const MappedColumn &column, int source_typmod, const TargetColumn &target) {
    const std::string value = "q." + quote_identifier(column.name);
    const StoredType into = stored_type(target);
    const std::string target_text = into.type == BPCHAROID || into.type == XMLOID ? text_of(value, into.type) : value;
    const bool is_stored_as_it_is =
        column.source_type == into.type && (into.typmod < 0 || into.typmod == source_typmod);
    if (is_stored_as_it_is)
        return column.as_text ? ComparedColumn{column.name, value + as_text, text_of(value, into.type)}
                              : ComparedColumn{column.name, target_text, target_text, into.type};
    if (!is_known_to_both(into.type)) return {column.name, value + as_text, value + as_text};
    const bool is_read_as_text =
        column.as_text && (column.batch_type != column.source_type || into.type == column.source_type);
    const std::string converted = is_read_as_text ? convert("(" + value + as_text + ")", TEXTOID, into)
                                                  : convert(value, column.source_type, into);
    return {column.name, converted, target_text, converted_type(into)};
}

} // namespace

std::string binary_form(Oid type) {
    const Oid element = pg_call([=] { return get_element_type(type); });
    if (!OidIsValid(element)) return send_function(type);
    return element == BYTEAOID || *send_function(element) != '\0' ? "array_send" : "";
}

std::vector<ComparedColumn> compare_columns(const ColumnMap &map, const std::vector<SourceColumn> &columns,
                                            const Target &target) {
    std::vector<ComparedColumn> compared;
    for (const MappedColumn &column : map.columns) {
        const auto source = std::find_if(columns.begin(), columns.end(),
                                         [&](const SourceColumn &candidate) { return candidate.name == column.name; });
        compared.push_back(compare(column, source->typmod, *target.find_column(column.name)));
    }
    return compared;
}

} // namespace pgci
