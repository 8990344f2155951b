#include "comparison.hpp"

#include "guard.hpp"
#include "settings.hpp"
#include "sql_text.hpp"

namespace pgci {

namespace {

constexpr int bucket_mask = 4095;

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
    for (const TextRow &row : rows) buckets.push_back({std::stoi(*row[0]), {*row[1], *row[2], *row[3]}});
    return buckets;
}

std::vector<KeyedRow> to_keyed(const std::vector<TextRow> &rows) {
    std::vector<KeyedRow> keyed;
    for (const TextRow &row : rows) keyed.push_back({*row[0], *row[1]});
    return keyed;
}

constexpr const char *sums = "pg_catalog.count(*), coalesce(pg_catalog.sum(h1), 0), coalesce(pg_catalog.sum(h2), 0)";

} // namespace

Comparison::Comparison(SourceSession &source, const SourceQuery &query, std::vector<ComparedColumn> columns,
                       std::string target_rows, const std::vector<std::string> &key, const TimeZone &zone)
    : source_(source), query_(query), columns_(std::move(columns)), target_rows_(std::move(target_rows)), zone_(zone),
      encodings_differ_(source.connection().server_encoding() != GetDatabaseEncodingName()) {
    for (const ComparedColumn &column : columns_)
        if (key.empty() || std::find(key.begin(), key.end(), column.name) != key.end()) key_.push_back(column);
}

// SELECT of h1, h2 and, if asked for, k (the key), its parts c0, c1, ..., and b (its bucket), for all rows of a relation q that follows. The row
// is made a text once, behind OFFSET 0, and hashed by two seeds.
std::string Comparison::hashed_rows(Side side, bool with_key) const {
    const auto hashed = [&](const std::string &text, const char *seed) {
        const std::string common =
            encodings_differ_ ? "pg_catalog.encode(pg_catalog.convert_to(" + text + ", 'UTF8'), 'hex')" : text;
        return "pg_catalog.hashtextextended(" + common + " COLLATE pg_catalog.\"C\", " + seed + ")";
    };
    const auto expression = [&](const ComparedColumn &column) {
        return side == Side::source ? column.at_source : column.at_target;
    };
    std::string row;
    for (const ComparedColumn &column : columns_) row.append(row.empty() ? "" : ", ").append(expression(column));
    std::string key;
    std::string parts;
    for (std::size_t i = 0; i < key_.size(); ++i) {
        key.append(i == 0 ? "" : ", ").append(expression(key_[i]));
        parts += ", (" + expression(key_[i]) + ")::pg_catalog.text AS c" + std::to_string(i);
    }
    const std::string with = with_key ? ", ROW(" + key + ")::pg_catalog.text AS k" + parts : "";
    return "SELECT " + hashed("r", "1") + " AS h1, " + hashed("r", "2") + " AS h2" +
           (with_key
                ? ", texts.*, " + hashed("k", "3") + " OPERATOR(pg_catalog.&) " + std::to_string(bucket_mask) + " AS b"
                : "") +
           " FROM (SELECT ROW(" + row + ")::pg_catalog.text AS r" + with + " FROM (";
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

std::vector<TextRow> Comparison::select(Side side, const std::string &head, const std::string &tail, bool with_key,
                                        bool newest) {
    const std::string before = head + " FROM (" + hashed_rows(side, with_key);
    const std::string after = "\n) AS q OFFSET 0) AS texts) AS hashes" + tail;
    if (side == Side::target) {
        const char *const zone = zone_.name();
        const int settings = pg_call([=] {
            const int level = NewGUCNestLevel();
            use_comparison_settings(zone);
            return level;
        });
        std::vector<TextRow> rows = select_rows(before + target_rows_ + after, {}, newest);
        pg_call([=] { AtEOXact_GUC(true, settings); });
        return rows;
    }
    const Result result =
        source_.connection().run({.sql = before + query_.text() + after,
                                  .shown_query = query_.text(),
                                  .shown_offset = pg_mbstrlen_with_len(before.data(), static_cast<int>(before.size())),
                                  .parameters = query_.parameters()},
                                 PGRES_TUPLES_OK);
    std::vector<TextRow> rows;
    for (int i = 0; i < PQntuples(result.get()); ++i) {
        TextRow row;
        for (int j = 0; j < PQnfields(result.get()); ++j) row.emplace_back(PQgetvalue(result.get(), i, j));
        rows.push_back(std::move(row));
    }
    return rows;
}

Checksum Comparison::source_checksum() {
    const std::vector<TextRow> rows = select(Side::source, std::string("SELECT ") + sums, "", false, false);
    if (rows.size() != 1 || rows[0].size() != 3) source_.connection().raise_protocol_violation("no checksum");
    return {*rows[0][0], *rows[0][1], *rows[0][2]};
}

Checksum Comparison::target_checksum(bool newest) {
    const std::vector<TextRow> rows = select(Side::target, std::string("SELECT ") + sums, "", false, newest);
    return {*rows[0][0], *rows[0][1], *rows[0][2]};
}

Comparison::Buckets Comparison::source_buckets() {
    return to_buckets(select(Side::source, std::string("SELECT b, ") + sums, " GROUP BY b", true, false));
}

Comparison::Buckets Comparison::target_buckets() {
    return to_buckets(select(Side::target, std::string("SELECT b, ") + sums, " GROUP BY b", true, false));
}

std::vector<KeyedRow> Comparison::source_rows(const std::vector<int> &buckets) {
    return to_keyed(select(
        Side::source, "SELECT " + key_as_json() + ", h1::pg_catalog.text OPERATOR(pg_catalog.||) h2::pg_catalog.text",
        " WHERE b OPERATOR(pg_catalog.=) ANY (" + bucket_list(buckets) + "::pg_catalog.int8[])", true, false));
}

std::vector<KeyedRow> Comparison::target_rows(const std::vector<int> &buckets) {
    return to_keyed(select(
        Side::target, "SELECT " + key_as_json() + ", h1::pg_catalog.text OPERATOR(pg_catalog.||) h2::pg_catalog.text",
        " WHERE b OPERATOR(pg_catalog.=) ANY (" + bucket_list(buckets) + "::pg_catalog.int8[])", true, false));
}

} // namespace pgci
