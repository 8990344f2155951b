// Whether replace_where selects the same window as the query: mode replace deletes what the one selects, and inserts what
// the other does.
#pragma once

#include <optional>
#include <string>

#include "template/window.hpp"

namespace pgci {

// Maybe: the spans are different, but of columns that need not be the same.
enum class SliceFit { same, different, maybe_different, unknown };

struct ComparedSlice {
    SliceFit fit = SliceFit::unknown;
    bool is_wider = false;  // at one end at least
    std::string by_query{}; // "from 2018-07-29 00:00:00 to 2018-07-30 00:00:00"
    std::string by_slice{}; // the same
    std::string column{};   // of replace_where

    std::string detail() const;
};

// What is compared.
struct SliceTexts {
    const std::string &query_template;
    const std::optional<std::string> &window_column;
    const std::string &replace_where;
    bool has_transform; // which may put other values into the column

    std::string hint(const std::string &column) const;
};

// Computes the spans from the parse trees, as local times of the zone. Differences of up to a second are none: bounds that
// include midnight, or leave out the last second, have a warning of their own.
ComparedSlice compare_slice(const SliceTexts &texts, const Window &window, const TimeZone &zone);

// Raises 22023 if the spans are different.
void check_slice_fits(const SliceTexts &texts, const Window &window, const TimeZone &zone);

} // namespace pgci
