#include "proof/different_keys.hpp"

namespace pgci {

namespace {

// Reads a number that was checked when it arrived. It is empty if the bucket has no rows on this side.
std::int64_t number_of(const std::string &rows) { return rows.empty() ? 0 : std::stoll(rows); }

// Collects the keys with one hash.
class KeyGroups {
  public:
    KeyGroups(Comparison &comparison, const KeyGroupSink &sink) : comparison_(comparison), sink_(sink) {}

    void add(const HashedRow &row, Found found) {
        if (row.key_hash != key_hash_) finish();
        key_hash_ = row.key_hash;
        const auto [place, is_new] = keys_.try_emplace(row.key);
        if (is_new && keys_.size() > 1) bytes_of_others_ += row.key.size();
        if (keys_.size() > most_keys_of_a_hash || bytes_of_others_ > most_bytes_of_others)
            comparison_.raise_contradiction("too many keys with one hash");
        KeyRows &rows = place->second;
        rows.at_source += found == Found::only_at_target ? 0 : 1;
        rows.at_target += found == Found::only_at_source ? 0 : 1;
        rows.only_at_source += found == Found::only_at_source ? 1 : 0;
        rows.only_at_target += found == Found::only_at_target ? 1 : 0;
        differ_ = differ_ || found != Found::on_both_sides;
    }
    void finish() {
        if (differ_) sink_(key_hash_, keys_);
        keys_.clear();
        bytes_of_others_ = 0;
        differ_ = false;
    }

  private:
    // Of a 64-bit hash. The first key may have any length, because without a key it is the whole row.
    static constexpr std::size_t most_keys_of_a_hash = 1000;
    static constexpr std::size_t most_bytes_of_others = 64 << 20;

    Comparison &comparison_;
    const KeyGroupSink &sink_;
    std::int64_t key_hash_ = 0;
    KeyGroup keys_{};
    std::size_t bytes_of_others_ = 0; // of all keys except the first
    bool differ_ = false;
};

} // namespace

DifferentBuckets find_different_buckets(Comparison &comparison) {
    std::map<int, std::pair<Checksum, Checksum>> buckets;
    const Comparison::Sides<Comparison::Buckets> found = comparison.buckets();
    for (const auto &[bucket, checksum] : found.source) buckets[bucket].first = checksum;
    for (const auto &[bucket, checksum] : found.target) buckets[bucket].second = checksum;
    DifferentBuckets different;
    for (const auto &[bucket, sides] : buckets) {
        const std::int64_t at_source = number_of(sides.first.rows);
        different.source_rows_of_window += at_source;
        if (sides.first == sides.second) continue;
        different.buckets.push_back(bucket);
        different.at_source += at_source;
        different.at_target += number_of(sides.second.rows);
    }
    return different;
}

void find_different_keys(Comparison &comparison, const DifferentBuckets &different, const KeyGroupSink &sink) {
    if (different.buckets.empty()) return;
    KeyGroups groups(comparison, sink);
    comparison.merge_rows(different.buckets, different.at_source,
                          [&](const HashedRow &row, Found found) { groups.add(row, found); });
    groups.finish();
}

} // namespace pgci
