#include "proof/comparison.hpp"

#include "server/guard.hpp"
#include "server/settings.hpp"
#include "server/sql_text.hpp"

namespace pgci {

namespace {

constexpr int first_with_record_hash = 140000;
constexpr std::int64_t most_rows = std::int64_t{1} << 50; // more than any table has
constexpr std::size_t most_digits = 40;                   // of a sum of so many hashes

// Our settings for texts are those of the source's session. Row security hides no row silently.
void use_comparison_settings(const char *zone) {
    for (const auto &[name, value] :
         {std::pair("DateStyle", "ISO"), std::pair("IntervalStyle", "postgres"), std::pair("extra_float_digits", "3"),
          std::pair("bytea_output", "hex"), std::pair("lc_monetary", "C"), std::pair("xmloption", "content"),
          std::pair("row_security", "off"), std::pair("standard_conforming_strings", "on")})
        set_for_level(name, value);
    set_for_level("TimeZone", zone);
}

std::string bucket_list(const std::vector<int> &buckets) {
    std::string list;
    for (const int bucket : buckets) list.append(list.empty() ? "'{" : ",").append(std::to_string(bucket));
    return list + "}'";
}

constexpr const char *select_sums = "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(h), 0)";
// The rows fall into buckets by the hash of their key.
constexpr int bucket_mask = 4095;
constexpr const char *bucket_of_row = "(k OPERATOR(pg_catalog.&) 4095)";

// A value whose hash differs, in a record, when its text would: for most types it is the text. The hash of a numeric is
// that of all equal ones, 1.0 and 1.00; that of a text is by its collation.
std::string hashable(Oid type, const std::string &value) {
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
    case NUMERICOID:
        return "pg_catalog.numeric_send(" + value + ")";
    case INTERVALOID:
        return "pg_catalog.interval_send(" + value + ")";
    default:
        return "(" + value + ")::pg_catalog.text COLLATE pg_catalog.\"C\"";
    }
}

Checksum to_checksum(const TextRow &row) { return {*row[0], *row[1]}; }

// From a column of the answer on.
Checksum to_checksum(const Answer &answer, std::size_t row, std::size_t column) {
    return {std::to_string(answer.integer(row, column, 0, most_rows)), answer.digits(row, column + 1, most_digits)};
}

} // namespace

const std::string &Comparison::expression(const ComparedColumn &column, Side side) {
    return side == Side::source ? column.at_source : column.at_target;
}

Comparison::Comparison(SourceSession &source, const SourceQuery &query, std::vector<ComparedColumn> columns,
                       std::string target_rows, const Target &target, const std::vector<std::string> &key,
                       const TimeZone &zone)
    : source_(source), query_(query), columns_(std::move(columns)), target_rows_(std::move(target_rows)),
      target_(target), zone_(zone),
      encodings_differ_(source.connection().server_encoding() != GetDatabaseEncodingName()),
      hashes_records_(!encodings_differ_ && source.connection().server_version() >= first_with_record_hash) {
    for (const ComparedColumn &column : columns_)
        if (key.empty() || std::find(key.begin(), key.end(), column.name) != key.end()) key_.push_back(column);
}

std::string Comparison::text_hash(const std::string &text, int seed) const {
    const std::string common =
        encodings_differ_ ? "pg_catalog.encode(pg_catalog.convert_to(" + text + ", 'UTF8'), 'hex')" : text;
    return "pg_catalog.hashtextextended(" + common + " COLLATE pg_catalog.\"C\", " + std::to_string(seed) + ")";
}

// A record's hash is a sum over its columns, so it is hashed once more: values that change places between rows count.
std::string Comparison::row_hash(Side side) const {
    std::string row;
    for (const ComparedColumn &column : columns_) {
        const std::string &value = expression(column, side);
        row.append(row.empty() ? "" : ", ").append(hashes_records_ ? hashable(column.type, value) : value);
    }
    if (!hashes_records_) return text_hash("ROW(" + row + ")::pg_catalog.text", 1);
    return "pg_catalog.hashint8extended(pg_catalog.hash_record_extended(ROW(" + row + "), 1), 2)";
}

// SELECT of h and, if asked for, k (the hash of the key) and the key's parts c0, c1, ..., for all rows of a relation q that
// follows.
std::string Comparison::hashed_rows(Side side, bool with_key) const {
    std::string key;
    std::string parts;
    for (std::size_t i = 0; with_key && i < key_.size(); ++i) {
        key.append(i == 0 ? "" : ", ").append(expression(key_[i], side));
        parts += ", (" + expression(key_[i], side) + ")::pg_catalog.text AS c" + std::to_string(i);
    }
    const std::string key_hash = with_key ? ", " + text_hash("ROW(" + key + ")::pg_catalog.text", 3) + " AS k" : "";
    return "SELECT " + row_hash(side) + " AS h" + key_hash + parts + " FROM (";
}

// The key as a JSON object, of the texts c0, c1, ...; an array, because a chain of operators is as deep as it is long.
std::string Comparison::key_as_json() const {
    std::string members;
    for (std::size_t i = 0; i < key_.size(); ++i)
        members.append(i == 0 ? "" : ", ")
            .append("pg_catalog.to_json(" + quote_literal(key_[i].name) + "::pg_catalog.text)::pg_catalog.text ")
            .append("OPERATOR(pg_catalog.||) ': ' OPERATOR(pg_catalog.||) coalesce(pg_catalog.to_json(c" +
                    std::to_string(i) + ")::pg_catalog.text, 'null')");
    return "'{' OPERATOR(pg_catalog.||) pg_catalog.array_to_string(ARRAY[" + members +
           "]::pg_catalog.text[], ', ') OPERATOR(pg_catalog.||) '}'";
}

std::string Comparison::query(Side side, const std::string &head, const std::string &tail, bool with_key) const {
    return head + " FROM (" + hashed_rows(side, with_key) + (side == Side::source ? query_.text() : target_rows_) +
           "\n) AS q) AS hashes" + tail;
}

RemoteConnection::Statement Comparison::source_statement(const std::string &head, const std::string &tail,
                                                         bool with_key) const {
    const std::string before = head + " FROM (" + hashed_rows(Side::source, with_key);
    return {.sql = query(Side::source, head, tail, with_key),
            .shown_query = query_.text(),
            .shown_offset = pg_mbstrlen_with_len(before.data(), static_cast<int>(before.size())),
            .parameters = query_.parameters()};
}

Question Comparison::ask_for_sums() const {
    return {.kind = "the question about the window's checksum",
            .statement = source_statement(select_sums, "", false),
            .columns = 2};
}

int Comparison::begin_settings() const {
    const char *const zone = zone_.name();
    return pg_call([=] {
        const int level = NewGUCNestLevel();
        use_comparison_settings(zone);
        return level;
    });
}

std::vector<TextRow> Comparison::select_target(const std::string &head, const std::string &tail, bool with_key,
                                               bool newest) {
    const int settings = begin_settings();
    const UsedRelation read = target_.used_for(ACL_SELECT);
    std::vector<TextRow> rows = select_rows(query(Side::target, head, tail, with_key), {}, newest, &read);
    pg_call([=] { AtEOXact_GUC(true, settings); });
    return rows;
}

Checksum Comparison::source_checksum() { return to_checksum(ask(source_.connection(), ask_for_sums()), 0, 0); }

Checksum Comparison::target_checksum() { return to_checksum(select_target(select_sums, "", false, true)[0]); }

Comparison::Sides<Checksum> Comparison::checksums() {
    const Question question = ask_for_sums();
    send_question(source_.connection(), question);
    const Checksum target = to_checksum(select_target(select_sums, "", false, false)[0]);
    return {to_checksum(receive_answer(source_.connection(), question), 0, 0), target};
}

Comparison::Sides<Comparison::Buckets> Comparison::buckets() {
    const std::string head = std::string("SELECT ") + bucket_of_row + " AS b, pg_catalog.count(*), pg_catalog.sum(h)";
    const std::string tail = " GROUP BY b";
    const Question question{.kind = "the question about the buckets' checksums",
                            .statement = source_statement(head, tail, true),
                            .columns = 3,
                            .least_rows = 0,
                            .most_rows = bucket_mask + 1,
                            .most_bytes = 1 << 20};
    send_question(source_.connection(), question);
    Sides<Buckets> sides;
    for (const TextRow &row : select_target(head, tail, true, false))
        sides.target.push_back({std::stoi(*row[0]), {*row[1], *row[2]}});
    const Answer answer = receive_answer(source_.connection(), question);
    for (std::size_t i = 0; i < answer.rows(); ++i)
        sides.source.push_back({static_cast<int>(answer.integer(i, 0, 0, bucket_mask)), to_checksum(answer, i, 1)});
    return sides;
}

void Comparison::merge_rows(const std::vector<int> &buckets, std::int64_t source_rows, const UnmatchedSink &sink) {
    const std::string head = "SELECT k, h, " + key_as_json();
    const std::string tail = std::string(" WHERE ") + bucket_of_row + " OPERATOR(pg_catalog.=) ANY (" +
                             bucket_list(buckets) + "::pg_catalog.int8[]) ORDER BY k, h";
    SourceRows source(source_.connection(), source_statement(head, tail, true), source_rows);
    const int settings = begin_settings();
    TargetRows target(query(Side::target, head, tail, true), target_.used_for(ACL_SELECT));
    std::optional<HashedRow> theirs = source.next();
    std::optional<HashedRow> ours = target.next();
    while (theirs || ours) {
        const bool only_source = theirs && (!ours || theirs->is_before(*ours));
        const bool only_target = ours && (!theirs || ours->is_before(*theirs));
        if (only_source) sink(*theirs, true);
        if (only_target) sink(*ours, false);
        if (!only_target) theirs = source.next();
        if (!only_source) ours = target.next();
    }
    pg_call([=] { AtEOXact_GUC(true, settings); });
}

} // namespace pgci
