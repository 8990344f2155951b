#include "look/differences.hpp"

#include <map>

namespace pgci {

namespace {

// The buckets whose rows differ, and the number of source rows in them.
struct DifferingBuckets {
    std::vector<int> buckets{};
    std::int64_t source_rows = 0;
};

// Reads a number that was checked when it arrived. It is empty if the bucket has no rows on this side.
std::int64_t number_of(const std::string &rows) { return rows.empty() ? 0 : std::stoll(rows); }

DifferingBuckets differing_buckets(Comparison &comparison, std::int64_t source_rows) {
    std::map<int, std::pair<Checksum, Checksum>> buckets;
    const Comparison::Sides<Comparison::Buckets> found = comparison.buckets();
    std::int64_t counted = 0;
    for (const auto &[bucket, checksum] : found.source) {
        buckets[bucket].first = checksum;
        counted += number_of(checksum.rows);
    }
    if (counted != source_rows)
        comparison.raise_contradiction("buckets of " + std::to_string(counted) + " rows of a window of " +
                                       std::to_string(source_rows));
    for (const auto &[bucket, checksum] : found.target) buckets[bucket].second = checksum;
    DifferingBuckets differing;
    for (const auto &[bucket, sides] : buckets) {
        if (sides.first == sides.second) continue;
        differing.buckets.push_back(bucket);
        differing.source_rows += number_of(sides.first.rows);
    }
    return differing;
}

// Collects rows that only one side has, for all keys with the same hash. This is mostly a single key.
class Unmatched {
  public:
    Unmatched(Comparison &comparison, bool has_key, const DifferenceSink &sink)
        : comparison_(comparison), has_key_(has_key), sink_(sink) {}

    void add(const HashedRow &row, bool is_of_source) {
        if (!keys_.empty() && row.key_hash != key_hash_) count();
        key_hash_ = row.key_hash;
        Sides &sides = keys_[row.key];
        if (keys_.size() > most_keys_of_a_hash) comparison_.raise_contradiction("too many keys with one hash");
        ++(is_of_source ? sides.source : sides.target);
    }
    Differences finish() {
        count();
        return differences_;
    }

  private:
    struct Sides {
        std::int64_t source = 0;
        std::int64_t target = 0;
    };

    void count() {
        for (const auto &[key, sides] : keys_) {
            const std::int64_t changed = has_key_ ? std::min(sides.source, sides.target) : 0;
            add_differences("changed", key, changed, differences_.changed);
            add_differences("missing", key, sides.source - changed, differences_.missing);
            add_differences("extra", key, sides.target - changed, differences_.extra);
        }
        keys_.clear();
    }
    void add_differences(const char *difference, const std::string &key, std::int64_t times, std::int64_t &sum) const {
        sum += times;
        if (sink_)
            for (std::int64_t i = 0; i < times; ++i) sink_(difference, key);
    }

    static constexpr std::size_t most_keys_of_a_hash = 1000; // of a 64-bit hash

    Comparison &comparison_;
    bool has_key_;
    const DifferenceSink &sink_;
    std::int64_t key_hash_ = 0;
    std::map<std::string, Sides> keys_{};
    Differences differences_{};
};

} // namespace

Differences find_differences(Comparison &comparison, std::int64_t source_rows, bool has_key,
                             const DifferenceSink &sink) {
    Unmatched unmatched(comparison, has_key, sink);
    const DifferingBuckets differing = differing_buckets(comparison, source_rows);
    comparison.merge_rows(differing.buckets, differing.source_rows,
                          [&](const HashedRow &row, bool is_of_source) { unmatched.add(row, is_of_source); });
    return unmatched.finish();
}

} // namespace pgci
