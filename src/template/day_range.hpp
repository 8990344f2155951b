// The days of a backfill.
#pragma once

#include <vector>

#include "template/window.hpp"

namespace pgci {

// From the first day to the last one, both included.
class DayRange {
  public:
    // Raises 22023 when the last day is before the first or there are more than a hundred thousand, 22008 for a day that
    // is no window (infinity, before Christ).
    DayRange(DateADT first, DateADT last);

    DateADT day(std::size_t place) const { return first_ + static_cast<DateADT>(place); }
    std::size_t size() const { return size_; }
    // The windows of all the days, in their order.
    std::vector<Window> windows(const TimeZone &zone) const;

  private:
    DateADT first_;
    std::size_t size_;
};

} // namespace pgci
