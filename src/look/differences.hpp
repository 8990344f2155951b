// The rows of a window that differ between both sides.
#pragma once

#include <functional>
#include <string>

#include "proof/comparison.hpp"

namespace pgci {

// How many rows differ. Without a key, a changed row is one missing and one extra.
struct Differences {
    std::int64_t missing = 0;
    std::int64_t extra = 0;
    std::int64_t changed = 0;
};

// Takes a difference (missing, extra, changed) and the row's key, a JSON object of texts.
using DifferenceSink = std::function<void(const char *difference, const std::string &key)>;

// Counts the rows that differ, and gives each to the sink, if there is one. `source_rows` is the source's count of the whole
// window. Needs the memory of a few rows, and of those of one key. Raises 08P01 where the source contradicts itself.
Differences find_differences(Comparison &comparison, std::int64_t source_rows, bool has_key,
                             const DifferenceSink &sink);

} // namespace pgci
