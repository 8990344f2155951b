#include "proof/comparison.hpp"

#include "server/guard.hpp"

namespace pgci {

namespace {

constexpr std::int64_t most_rows = std::int64_t{1} << 50; // more than a table can have
constexpr std::size_t most_digits = 40;                   // of a sum of that many hashes

template <class Number> std::string array_of(const std::vector<Number> &numbers) {
    std::string list = "'{";
    for (const Number number : numbers) list.append(list.size() == 2 ? "" : ",").append(std::to_string(number));
    return list + "}'::pg_catalog.int8[]";
}

constexpr const char *end_of_hashes = ") AS hashes";
constexpr const char *select_sums = "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(h), 0)";
// The hash of the key decides the bucket of a row.
constexpr int bucket_mask = 16383;
std::string bucket_of(const std::string &key_hash) {
    return "(" + key_hash + " OPERATOR(pg_catalog.&) " + std::to_string(bucket_mask) + ")";
}

std::string bucket_condition(const std::string &key_hash, const std::vector<int> &buckets) {
    return bucket_of(key_hash) + " OPERATOR(pg_catalog.=) ANY (" + array_of(buckets) + ")";
}

Checksum to_checksum(const TextRow &row) { return {*row[0], *row[1]}; }

// Reads a checksum from two columns of an answer, starting at `column`.
Checksum to_checksum(const Answer &answer, std::size_t row, std::size_t column) {
    return {std::to_string(answer.integer(row, column, 0, most_rows)), answer.digits(row, column + 1, most_digits)};
}

} // namespace

Comparison::Comparison(SourceSession &source, const SourceQuery &query, std::vector<ComparedColumn> columns,
                       TargetSelection target_rows, const Target &target, const std::vector<std::string> &key,
                       const TimeZone &zone)
    : source_(source), query_(query), hashes_(source, std::move(columns), key), target_rows_(std::move(target_rows)),
      target_(target), zone_(zone) {}

std::string Comparison::query(Side side, const std::string &head, const std::string &tail, bool with_key) const {
    return head + " FROM (" + hashes_.select(side, with_key) +
           (side == Side::source ? query_.text() : target_rows_.sql) + "\n) AS q" + tail;
}

RemoteConnection::Statement Comparison::source_statement(const std::string &head, const std::string &tail,
                                                         bool with_key) const {
    const std::string before = head + " FROM (" + hashes_.select(Side::source, with_key);
    return {.sql = query(Side::source, head, tail, with_key),
            .shown_query = query_.text(),
            .shown_offset = pg_mbstrlen_with_len(before.data(), static_cast<int>(before.size())),
            .parameters = query_.parameters()};
}

Question Comparison::ask_for_sums() const {
    return {.kind = "the question about the window's checksum",
            .statement = source_statement(select_sums, end_of_hashes, false),
            .columns = 2};
}

int Comparison::begin_settings() const {
    const char *const zone = zone_.name();
    return pg_call([zone, names = target_rows_.names] { return begin_comparison_settings(zone, names); });
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

Checksum Comparison::target_checksum() {
    return to_checksum(select_target(select_sums, end_of_hashes, false, true)[0]);
}

Comparison::Sides<Checksum> Comparison::checksums() {
    const Question question = ask_for_sums();
    send_question(source_.connection(), question);
    const Checksum target = to_checksum(select_target(select_sums, end_of_hashes, false, false)[0]);
    return {to_checksum(receive_answer(source_.connection(), question), 0, 0), target};
}

Comparison::Sides<Comparison::Buckets> Comparison::buckets() {
    const std::string head = "SELECT " + bucket_of("k") + " AS b, pg_catalog.count(*), pg_catalog.sum(h)";
    // With OFFSET 0, the planner does not know how many keys there are. It expects few groups, and uses parallel workers.
    const std::string tail = std::string(" OFFSET 0") + end_of_hashes + " GROUP BY b";
    const Question question{.kind = "the question about the buckets' checksums",
                            .statement = source_statement(head, tail, true),
                            .columns = 3,
                            .least_rows = 0,
                            .most_rows = bucket_mask + 1,
                            .most_bytes = 2 << 20};
    send_question(source_.connection(), question);
    Sides<Buckets> sides;
    for (const TextRow &row : select_target(head, tail, true, false))
        sides.target.push_back({std::stoi(*row[0]), {*row[1], *row[2]}});
    const Answer answer = receive_answer(source_.connection(), question);
    for (std::size_t i = 0; i < answer.rows(); ++i)
        sides.source.emplace_back(static_cast<int>(answer.integer(i, 0, 0, bucket_mask)), to_checksum(answer, i, 1));
    return sides;
}

void Comparison::merge_rows(const std::vector<int> &buckets, std::int64_t source_rows, const RowSink &sink) {
    const std::string head = "SELECT k, h, ";
    const std::string tail = end_of_hashes + (" WHERE " + bucket_condition("k", buckets)) + " ORDER BY k, h";
    SourceRows source(source_.connection(), source_statement(head + hashes_.key_as_json(), tail, true), source_rows);
    const std::vector<std::string> key = hashes_.key_columns();
    std::string key_columns;
    for (std::size_t i = 0; i < key.size(); ++i) key_columns.append(i == 0 ? "c" : ", c").append(std::to_string(i));
    const int settings = begin_settings();
    TargetRows target(query(Side::target, head + key_columns, tail, true), key, target_.used_for(ACL_SELECT));
    std::optional<HashedRow> theirs = source.next();
    std::optional<HashedRow> ours = target.next();
    while (theirs || ours) {
        const bool only_source = theirs && (!ours || theirs->is_before(*ours));
        const bool only_target = ours && (!theirs || ours->is_before(*theirs));
        sink(only_target ? *ours : *theirs, only_source   ? Found::only_at_source
                                            : only_target ? Found::only_at_target
                                                          : Found::on_both_sides);
        if (!only_target) theirs = source.next();
        if (!only_source) ours = target.next();
    }
    pg_call([=] { AtEOXact_GUC(true, settings); });
}

// A subquery, because servers before 14 compare a row with one element of an array after the other.
std::string Comparison::has_key_hash(Side side, const std::vector<std::int64_t> &hashes) const {
    return hashes_.key_hash(side) + " OPERATOR(pg_catalog.=) ANY (SELECT pg_catalog.unnest(" + array_of(hashes) + "))";
}

std::string Comparison::is_in_bucket(Side side, const std::vector<int> &buckets) const {
    return bucket_condition(hashes_.key_hash(side), buckets);
}

} // namespace pgci
