// The windows of a job: one after the other, from the first day on, without a gap.
#pragma once

#include <vector>

#include "template/window.hpp"

namespace pgci {

class WindowGrid {
  public:
    // Windows begin at local midnight of `first_day` and every `window_size` of local time after that: months, days, or a
    // part of a day that divides it. Raises 22023 for another size, 22008 for a first day that is no window.
    WindowGrid(DateADT first_day, const Interval &window_size, const TimeZone &zone);

    // Windows are counted from 0; those before the first day have negative numbers. A window of less than a day is empty
    // where clocks go forward over it.
    TimestampTz start_of(std::int64_t number) const;
    TimeSpan span_of(std::int64_t number) const { return {start_of(number), start_of(number + 1)}; }
    // The number of the window that has the instant.
    std::int64_t number_at(TimestampTz instant) const;

    // The end of the last window that is due at `now`, which is `lag` after its end; the start of the first day when none is.
    TimestampTz due_to(TimestampTz now, const Interval &lag) const;
    // How many windows of [from, to) are not empty, and the windows, in their order. A window counts of which a part lies
    // in the span. No more than the first `most` are returned.
    std::int64_t count(TimeSpan span) const;
    std::vector<TimeSpan> windows(TimeSpan span, std::size_t most = SIZE_MAX) const;

  private:
    TimeZone zone_;
    DateADT first_day_;
    // One of them is not 0.
    std::int64_t months_ = 0;
    std::int64_t days_ = 0;
    std::int64_t microseconds_ = 0;
};

} // namespace pgci
