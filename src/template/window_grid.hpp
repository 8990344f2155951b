// The windows of a job: consecutive, without gaps, from the first day; or of ids.
#pragma once

#include <vector>

#include "template/window.hpp"

namespace pgci {

class WindowGrid {
  public:
    // A window starts at local midnight of `first_day`, and the next ones every `window_size` of local time: months,
    // days, or a part of a day that divides it. Raises 22023 for another size, 22008 for a first day that cannot be a
    // window.
    WindowGrid(DateADT first_day, const Interval &window_size, const TimeZone &zone);

    // Windows of ids start at the multiples of a number. Raises 22023 for a number that is not positive.
    explicit WindowGrid(std::int64_t window_size_rows);

    WindowKind kind() const { return ids_ != 0 ? WindowKind::ids : WindowKind::time; }
    Window window(Span span) const { return Window::of(kind(), span, zone_); }

    // Windows are numbered from 0; those before the first day have negative numbers. A window of less than a day is
    // empty if clocks skip it.
    std::int64_t start_of(std::int64_t number) const;
    Span span_of(std::int64_t number) const { return {start_of(number), start_of(number + 1)}; }
    // Returns the number of the window that contains the instant or the id.
    std::int64_t number_at(std::int64_t value) const;

    // Returns the end of the last window that is due at `now`, that is, whose end was at least `lag` earlier. Returns
    // the start of the first day if none is due. Not for ids.
    TimestampTz due_to(TimestampTz now, const Interval &lag) const;
    // Return the number of windows of [from, to) that are not empty, and these windows in order, at most the first
    // `most`. A window of time belongs to the span if a part of it does. Of a window of ids, only this part does: each row
    // is loaded as soon as its id is known to be settled.
    std::int64_t count(Span span) const;
    std::vector<Span> windows(Span span, std::size_t most = SIZE_MAX) const;

  private:
    TimeZone zone_;
    DateADT first_day_ = 0;
    // Exactly one of these is not 0.
    std::int64_t months_ = 0;
    std::int64_t days_ = 0;
    std::int64_t microseconds_ = 0;
    std::int64_t ids_ = 0;
};

} // namespace pgci
