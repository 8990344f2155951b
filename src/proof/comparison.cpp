#include "proof/comparison.hpp"

#include "server/guard.hpp"
#include "server/settings.hpp"
#include "server/sql_text.hpp"

namespace pgci {

namespace {

constexpr int first_with_record_hash = 140000;

// Our settings for texts are those of the source's session. Row security hides no row silently.
void use_comparison_settings(const char *zone) {
    for (const auto &[name, value] :
         {std::pair("DateStyle", "ISO"), std::pair("IntervalStyle", "postgres"), std::pair("extra_float_digits", "3"),
          std::pair("bytea_output", "hex"), std::pair("lc_monetary", "C"), std::pair("xmloption", "content"),
          std::pair("row_security", "off")})
        set_for_level(name, value);
    set_for_level("TimeZone", zone);
}

std::string bucket_list(const std::vector<int> &buckets) {
    std::string list;
    for (const int bucket : buckets) list.append(list.empty() ? "'{" : ",").append(std::to_string(bucket));
    return list + "}'";
}

Comparison::Buckets to_buckets(const std::vector<TextRow> &rows) {
    Comparison::Buckets buckets;
    buckets.reserve(rows.size());
    for (const TextRow &row : rows) buckets.push_back({std::stoi(*row[0]), {*row[1], *row[2]}});
    return buckets;
}

constexpr const char *select_sums = "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(h), 0)";
// The rows fall into buckets by the hash of their key.
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

Checksum to_checksum(const std::vector<TextRow> &rows) {
    if (rows.size() != 1 || rows[0].size() != 2)
        raise(sqlstate::protocol_violation, "source server sent no checksum", "Check proxies and versions.");
    return {*rows[0][0], *rows[0][1]};
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

// The key as a JSON object, of the texts c0, c1, ...
std::string Comparison::key_as_json() const {
    std::string json = "'{'";
    for (std::size_t i = 0; i < key_.size(); ++i)
        json.append(" OPERATOR(pg_catalog.||) ")
            .append(i == 0 ? "" : "', ' OPERATOR(pg_catalog.||) ")
            .append("pg_catalog.to_json(" + quote_literal(key_[i].name) + "::pg_catalog.text)::pg_catalog.text ")
            .append("OPERATOR(pg_catalog.||) ': ' OPERATOR(pg_catalog.||) coalesce(pg_catalog.to_json(c" +
                    std::to_string(i) + ")::pg_catalog.text, 'null')");
    return json + " OPERATOR(pg_catalog.||) '}'";
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

RemoteConnection::Statement Comparison::ask_source(const std::string &head, const std::string &tail, bool with_key) {
    RemoteConnection::Statement statement = source_statement(head, tail, with_key);
    source_.connection().send(statement);
    return statement;
}

std::vector<TextRow> Comparison::receive(const RemoteConnection::Statement &statement) {
    const Result result = source_.connection().receive(statement, PGRES_TUPLES_OK);
    std::vector<TextRow> rows;
    for (int i = 0; i < PQntuples(result.get()); ++i) {
        TextRow row;
        for (int j = 0; j < PQnfields(result.get()); ++j) row.emplace_back(PQgetvalue(result.get(), i, j));
        rows.push_back(std::move(row));
    }
    return rows;
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

Comparison::Sides<std::vector<TextRow>> Comparison::select_both(const std::string &head, const std::string &tail,
                                                                bool with_key) {
    const RemoteConnection::Statement asked = ask_source(head, tail, with_key);
    std::vector<TextRow> target = select_target(head, tail, with_key, false);
    return {receive(asked), std::move(target)};
}

Checksum Comparison::source_checksum() { return to_checksum(receive(ask_source(select_sums, "", false))); }

Checksum Comparison::target_checksum() { return to_checksum(select_target(select_sums, "", false, true)); }

Comparison::Sides<Checksum> Comparison::checksums() {
    const Sides<std::vector<TextRow>> found = select_both(select_sums, "", false);
    return {to_checksum(found.source), to_checksum(found.target)};
}

Comparison::Sides<Comparison::Buckets> Comparison::buckets() {
    const Sides<std::vector<TextRow>> found = select_both(
        std::string("SELECT ") + bucket_of_row + " AS b, pg_catalog.count(*), pg_catalog.sum(h)", " GROUP BY b", true);
    return {to_buckets(found.source), to_buckets(found.target)};
}

void Comparison::merge_rows(const std::vector<int> &buckets, const UnmatchedSink &sink) {
    const std::string head = "SELECT k, h, " + key_as_json();
    const std::string tail = std::string(" WHERE ") + bucket_of_row + " OPERATOR(pg_catalog.=) ANY (" +
                             bucket_list(buckets) + "::pg_catalog.int8[]) ORDER BY k, h";
    SourceRows source(source_.connection(), source_statement(head, tail, true));
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
