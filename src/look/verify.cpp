#include "look/verify.hpp"

#include <map>

#include "server/guard.hpp"
#include "proof/window_comparison.hpp"
#include "run/resolved_request.hpp"

namespace pgci {

namespace {

// Rows of a step of the search for differences, which are held in memory.
constexpr std::int64_t most_rows_at_once = 200000;

struct Differences {
    std::int64_t missing = 0;
    std::int64_t extra = 0;
    std::int64_t changed = 0;
    std::vector<TextRow> rows;
};

std::vector<std::string> primary_key(const Target &target) {
    std::vector<std::string> key;
    for (const TextRow &row :
         select_rows("SELECT a.attname FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_attribute AS a ON a.attrelid "
                     "OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) ANY "
                     "(i.indkey::pg_catalog.int2[]) WHERE i.indisprimary AND i.indrelid OPERATOR(pg_catalog.=) "
                     "$1::pg_catalog.oid",
                     {std::to_string(target.oid())}))
        key.push_back(*row[0]);
    return key;
}

bool has_all(const std::vector<SourceColumn> &columns, const std::vector<std::string> &names) {
    return std::all_of(names.begin(), names.end(), [&](const std::string &name) {
        return std::any_of(columns.begin(), columns.end(), [&](const SourceColumn &c) { return c.name == name; });
    });
}

// The columns that tell rows apart; empty where there are none.
std::vector<std::string> key_of(const CopyRequest &request, const ResolvedRequest &resolved) {
    if (request.key_columns) {
        for (const std::string &name : *request.key_columns)
            if (resolved.target().find_column(name) == nullptr || !has_all(resolved.columns(), {name}))
                raise(sqlstate::undefined_column, "key column \"" + name + "\" is not in both source and target",
                      "Pass other key_columns, or leave them out for the primary key.");
        return *request.key_columns;
    }
    std::vector<std::string> key = primary_key(resolved.target());
    if (!has_all(resolved.columns(), key)) key.clear();
    return key;
}

Comparison compare(ResolvedRequest &resolved, const std::vector<std::string> &key) {
    return make_comparison(resolved.source(), resolved.query(), resolved.columns(), resolved.target(), resolved.slice(),
                           resolved.window() ? &resolved.window()->text() : nullptr, key, resolved.zone());
}

// Buckets that differ, in portions of a bounded number of rows.
std::vector<std::vector<int>> differing_portions(Comparison &comparison) {
    std::map<int, std::pair<Checksum, Checksum>> buckets;
    const Comparison::Sides<Comparison::Buckets> found = comparison.buckets();
    for (const auto &[bucket, checksum] : found.source) buckets[bucket].first = checksum;
    for (const auto &[bucket, checksum] : found.target) buckets[bucket].second = checksum;
    std::vector<std::vector<int>> portions;
    std::int64_t rows = most_rows_at_once;
    const auto number = [](const std::string &text) { return text.empty() ? 0 : std::stoll(text); };
    for (const auto &[bucket, sides] : buckets) {
        if (sides.first == sides.second) continue;
        const std::int64_t more = number(sides.first.rows) + number(sides.second.rows);
        if (portions.empty() || rows + more > most_rows_at_once) {
            portions.emplace_back();
            rows = 0;
        }
        rows += more;
        portions.back().push_back(bucket);
    }
    return portions;
}

void add_differences(Differences &differences, const std::string &key, std::vector<std::string> source,
                     std::vector<std::string> target, bool has_key) {
    std::sort(source.begin(), source.end());
    std::sort(target.begin(), target.end());
    std::vector<std::string> only_source;
    std::vector<std::string> only_target;
    std::set_difference(source.begin(), source.end(), target.begin(), target.end(), std::back_inserter(only_source));
    std::set_difference(target.begin(), target.end(), source.begin(), source.end(), std::back_inserter(only_target));
    const std::size_t changed = has_key ? std::min(only_source.size(), only_target.size()) : 0;
    const auto add = [&](const char *difference, std::size_t times, std::int64_t &count) {
        count += static_cast<std::int64_t>(times);
        for (std::size_t i = 0; i < times; ++i) differences.rows.push_back({std::string(difference), key});
    };
    add("changed", changed, differences.changed);
    add("missing", only_source.size() - changed, differences.missing);
    add("extra", only_target.size() - changed, differences.extra);
}

Differences find_differences(Comparison &comparison, bool has_key) {
    Differences differences;
    for (const std::vector<int> &portion : differing_portions(comparison)) {
        std::map<std::string, std::pair<std::vector<std::string>, std::vector<std::string>>> rows;
        Comparison::Sides<std::vector<KeyedRow>> found = comparison.rows(portion);
        for (KeyedRow &row : found.source) rows[row.key].first.push_back(std::move(row.hash));
        for (KeyedRow &row : found.target) rows[row.key].second.push_back(std::move(row.hash));
        for (auto &[key, sides] : rows) add_differences(differences, key, sides.first, sides.second, has_key);
    }
    return differences;
}

} // namespace

std::vector<TextRow> verify_window(const CopyRequest &request) {
    ResolvedRequest resolved(request, TargetUse::look);
    const std::vector<std::string> key = key_of(request, resolved);
    Comparison comparison = compare(resolved, key);
    const auto [source, target] = comparison.checksums();
    Differences differences;
    if (!(source == target)) differences = find_differences(comparison, !key.empty());
    const auto text = [](std::int64_t number) { return std::optional(std::to_string(number)); };
    return {{source == target ? "true" : "false", source.rows, target.rows, text(differences.missing),
             text(differences.extra), key.empty() ? std::nullopt : text(differences.changed)}};
}

std::vector<TextRow> find_different_rows(const CopyRequest &request) {
    ResolvedRequest resolved(request, TargetUse::look);
    const std::vector<std::string> key = key_of(request, resolved);
    Comparison comparison = compare(resolved, key);
    if (const auto [source, target] = comparison.checksums(); source == target) return {};
    return find_differences(comparison, !key.empty()).rows;
}

} // namespace pgci
