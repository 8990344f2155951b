// Finds the keys of a window whose rows differ between source and target.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "proof/comparison.hpp"

namespace pgci {

// The buckets whose rows differ. Numbers of rows are those in these buckets, except that of the whole window.
struct DifferentBuckets {
    std::vector<int> buckets{};
    std::int64_t at_source = 0;
    std::int64_t at_target = 0;
    std::int64_t source_rows_of_window = 0;
};

// Asks both sides for the checksums of the buckets.
DifferentBuckets find_different_buckets(Comparison &comparison);

// The numbers of rows with a key: all, and those without an equal row on the other side.
struct KeyRows {
    std::int64_t at_source = 0;
    std::int64_t at_target = 0;
    std::int64_t only_at_source = 0;
    std::int64_t only_at_target = 0;

    bool differ() const { return only_at_source > 0 || only_at_target > 0; }
};

// The keys with one hash, mostly a single one. A key is a JSON object of texts.
using KeyGroup = std::map<std::string, KeyRows>;
using KeyGroupSink = std::function<void(std::int64_t key_hash, const KeyGroup &keys)>;

// Passes the keys in these buckets to the sink, if the rows of a key with their hash differ. Needs memory for a few rows and
// for the keys of one hash. Raises 08P01 if answers of the source contradict each other.
void find_different_keys(Comparison &comparison, const DifferentBuckets &different, const KeyGroupSink &sink);

} // namespace pgci
