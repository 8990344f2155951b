// Until when something may take. Pure C++.
#pragma once

#include <algorithm>
#include <chrono>

namespace pgci {

class Deadline {
  public:
    // So long from now on; zero or less is for ever.
    explicit Deadline(std::chrono::milliseconds budget) : is_none_(budget.count() <= 0), end_(Clock::now() + budget) {}

    // Milliseconds until then, `most` at most.
    long left(long most) const {
        if (is_none_) return most;
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now()).count();
        return std::clamp(static_cast<long>(left), 0L, most);
    }
    bool has_passed() const { return left(1) == 0; }

  private:
    using Clock = std::chrono::steady_clock;

    bool is_none_;
    Clock::time_point end_;
};

} // namespace pgci
