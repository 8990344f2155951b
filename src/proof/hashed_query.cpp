#include "proof/hashed_query.hpp"

#include <algorithm>

#include "server/sql_text.hpp"

namespace pgci {

namespace {

constexpr int first_with_record_hash = 140000;

// Returns an expression whose hash, in a record, differs if the text of the value differs. For most types this is the
// text. A hash of numeric is equal for 1.0 and 1.00, and a hash of text depends on its collation.
std::string hashable(Oid type, const std::string &value, const std::string &encoding) {
    switch (type) {
    case BOOLOID:
    case CHAROID:
    case NAMEOID:
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
    case BYTEAOID:
    case UUIDOID:
    case DATEOID:
    case TIMEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
        return value;
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
        return "(" + value + ")::pg_catalog.text COLLATE pg_catalog.\"C\"";
    default:
        if (const std::string binary = binary_form(type); !binary.empty())
            return "pg_catalog." + binary + "(" + value + ")";
        // Not with COLLATE, which the planner merges with the cast: Citus sends such an expression to its workers without the cast.
        return "pg_catalog.convert_to((" + value + ")::pg_catalog.text, " + encoding + ")";
    }
}

// Whether the text of a value of this type depends on settings.
bool has_text_of_settings(Oid type) { return type == BYTEAOID || !binary_form(type).empty(); }

// Returns an expression whose text does not depend on settings.
std::string printable(Oid type, const std::string &value) {
    if (!has_text_of_settings(type)) return value;
    const std::string binary = binary_form(type);
    return "pg_catalog.encode(" + (binary.empty() ? value : "pg_catalog." + binary + "(" + value + ")") + ", 'hex')";
}

} // namespace

HashedQuery::HashedQuery(SourceSession &source, std::vector<ComparedColumn> columns,
                         const std::vector<std::string> &key)
    : columns_(std::move(columns)),
      encodings_differ_(source.connection().server_encoding() != GetDatabaseEncodingName()),
      hashes_records_(!encodings_differ_ && source.connection().server_version() >= first_with_record_hash) {
    for (const ComparedColumn &column : columns_)
        if (key.empty() || std::find(key.begin(), key.end(), column.name) != key.end()) key_.push_back(column);
}

const std::string &HashedQuery::expression(const ComparedColumn &column, Side side) {
    return side == Side::source ? column.at_source : column.at_target;
}

std::string HashedQuery::text_hash(const std::string &text, int seed) const {
    const std::string common =
        encodings_differ_ ? "pg_catalog.encode(pg_catalog.convert_to(" + text + ", 'UTF8'), 'hex')" : text;
    return "pg_catalog.hashtextextended(" + common + " COLLATE pg_catalog.\"C\", " + std::to_string(seed) + ")";
}

// The hash of a record is a sum over its columns. Hashing the sum again detects values exchanged between rows.
std::string HashedQuery::record_hash(const std::vector<ComparedColumn> &columns, Side side, int seed) const {
    std::string row;
    for (const ComparedColumn &column : columns) {
        const std::string &value = expression(column, side);
        row.append(row.empty() ? "" : ", ")
            .append(hashes_records_ ? hashable(column.type, value, quote_literal(GetDatabaseEncodingName()))
                                    : printable(column.type, value));
    }
    if (!hashes_records_) return text_hash("ROW(" + row + ")::pg_catalog.text", seed);
    return "pg_catalog.hashint8extended(pg_catalog.hash_record_extended(ROW(" + row + "), " + std::to_string(seed) +
           "), " + std::to_string(seed + 1) + ")";
}

std::string HashedQuery::key_hash(Side side) const { return record_hash(key_, side, 3); }

std::string HashedQuery::select(Side side, bool with_key) const {
    std::string parts = with_key ? ", " + key_hash(side) + " AS k" : "";
    for (std::size_t i = 0; with_key && i < key_.size(); ++i)
        parts += ", (" + expression(key_[i], side) + ")" + (makes_text(key_[i], side) ? "::pg_catalog.text" : "") +
                 " AS c" + std::to_string(i);
    return "SELECT " + record_hash(columns_, side, 1) + " AS h" + parts + " FROM (";
}

// A value of the target whose text depends on settings is converted in this process.
bool HashedQuery::makes_text(const ComparedColumn &column, Side side) {
    return side == Side::source || !has_text_of_settings(column.type);
}

std::vector<std::string> HashedQuery::key_columns() const {
    std::vector<std::string> names;
    for (const ComparedColumn &column : key_) names.push_back(column.name);
    return names;
}

// Uses an array: the nesting of a chain of operators grows with its length.
std::string HashedQuery::key_as_json() const {
    std::string members;
    for (std::size_t i = 0; i < key_.size(); ++i)
        members.append(i == 0 ? "" : ", ")
            .append("pg_catalog.to_json(" + quote_literal(key_[i].name) + "::pg_catalog.text)::pg_catalog.text ")
            .append("OPERATOR(pg_catalog.||) ': ' OPERATOR(pg_catalog.||) coalesce(pg_catalog.to_json(c" +
                    std::to_string(i) + ")::pg_catalog.text, 'null')");
    return "'{' OPERATOR(pg_catalog.||) pg_catalog.array_to_string(ARRAY[" + members +
           "]::pg_catalog.text[], ', ') OPERATOR(pg_catalog.||) '}'";
}

} // namespace pgci
