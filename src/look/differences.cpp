#include "look/differences.hpp"

#include <map>

namespace pgci {

namespace {

// Buckets whose rows differ.
std::vector<int> differing_buckets(Comparison &comparison) {
    std::map<int, std::pair<Checksum, Checksum>> buckets;
    const Comparison::Sides<Comparison::Buckets> found = comparison.buckets();
    for (const auto &[bucket, checksum] : found.source) buckets[bucket].first = checksum;
    for (const auto &[bucket, checksum] : found.target) buckets[bucket].second = checksum;
    std::vector<int> differing;
    for (const auto &[bucket, sides] : buckets)
        if (!(sides.first == sides.second)) differing.push_back(bucket);
    return differing;
}

// Rows that only one side has, of the keys with one hash: mostly a single key.
class Unmatched {
  public:
    Unmatched(bool has_key, const DifferenceSink &sink) : has_key_(has_key), sink_(sink) {}

    void add(const HashedRow &row, bool is_of_source) {
        if (!keys_.empty() && row.key_hash != key_hash_) count();
        key_hash_ = row.key_hash;
        Sides &sides = keys_[row.key];
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

    bool has_key_;
    const DifferenceSink &sink_;
    std::int64_t key_hash_ = 0;
    std::map<std::string, Sides> keys_{};
    Differences differences_{};
};

} // namespace

Differences find_differences(Comparison &comparison, bool has_key, const DifferenceSink &sink) {
    Unmatched unmatched(has_key, sink);
    comparison.merge_rows(differing_buckets(comparison),
                          [&](const HashedRow &row, bool is_of_source) { unmatched.add(row, is_of_source); });
    return unmatched.finish();
}

} // namespace pgci
