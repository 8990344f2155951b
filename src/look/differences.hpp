// Finds the rows of a window that differ between source and target.
#pragma once

#include <functional>
#include <string>

#include "proof/comparison.hpp"

namespace pgci {

// The number of rows that differ. Without a key, a changed row counts as one missing and one extra row.
struct Differences {
    std::int64_t missing = 0;
    std::int64_t extra = 0;
    std::int64_t changed = 0;
};

// Called with a difference (missing, extra, changed) and the key of the row, a JSON object of texts.
using DifferenceSink = std::function<void(const char *difference, const std::string &key)>;

// Counts the rows that differ, and passes each to the sink, if it is not empty. `source_rows` is the number of rows of the
// window that the source has counted. Needs memory for a few rows and for the rows of one key. Raises 08P01 if answers of the
// source contradict each other.
Differences find_differences(Comparison &comparison, std::int64_t source_rows, bool has_key,
                             const DifferenceSink &sink);

} // namespace pgci
