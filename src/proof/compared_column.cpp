#include "proof/compared_column.hpp"

#include "server/guard.hpp"
#include "server/sql_text.hpp"
#include "target/conversion.hpp"

namespace pgci {

namespace {

constexpr const char *as_text = "::pg_catalog.text";

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

ComparedColumn compare(const MappedColumn &column, int source_typmod, const TargetColumn &target) {
    const std::string value = "q." + quote_identifier(column.name);
    const StoredType into = stored_type(target);
    const std::string target_text = into.type == BPCHAROID ? value + as_text : value;
    if (column.as_text) {
        const bool same_text = column.source_type == into.type || !is_known_to_both(into.type);
        if (same_text) return {column.name, value + as_text, value + as_text};
        return {column.name, convert("(" + value + as_text + ")", TEXTOID, into), target_text};
    }
    const bool is_stored_as_it_is =
        column.source_type == into.type && (into.typmod < 0 || into.typmod == source_typmod);
    if (is_stored_as_it_is) return {column.name, target_text, target_text, into.type};
    if (!is_known_to_both(into.type)) return {column.name, value + as_text, value + as_text};
    return {column.name, convert(value, column.source_type, into), target_text};
}

} // namespace

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
