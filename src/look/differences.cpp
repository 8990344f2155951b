#include "look/differences.hpp"

#include "proof/different_keys.hpp"

namespace pgci {

Differences find_differences(Comparison &comparison, std::int64_t source_rows, bool has_key,
                             const DifferenceSink &sink) {
    const DifferentBuckets different = find_different_buckets(comparison);
    if (different.source_rows_of_window != source_rows)
        comparison.raise_contradiction("buckets of " + std::to_string(different.source_rows_of_window) +
                                       " rows of a window of " + std::to_string(source_rows));
    Differences differences;
    const auto add = [&](const char *difference, const std::string &key, std::int64_t times, std::int64_t &sum) {
        sum += times;
        if (sink)
            for (std::int64_t i = 0; i < times; ++i) sink(difference, key);
    };
    find_different_keys(comparison, different, [&](std::int64_t, const KeyGroup &keys) {
        for (const auto &[key, rows] : keys) {
            const std::int64_t changed = has_key ? std::min(rows.only_at_source, rows.only_at_target) : 0;
            add("changed", key, changed, differences.changed);
            add("missing", key, rows.only_at_source - changed, differences.missing);
            add("extra", key, rows.only_at_target - changed, differences.extra);
        }
    });
    return differences;
}

} // namespace pgci
