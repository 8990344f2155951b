// Waits for events outside this server, with a deadline.
#pragma once

#include <algorithm>
#include <chrono>

#include "server/pg.hpp"

namespace pgci {

// A point in time at which an operation must end.
class Deadline {
  public:
    // The deadline is `budget` from now; zero or less means no limit.
    explicit Deadline(std::chrono::milliseconds budget) : is_none_(budget.count() <= 0), end_(Clock::now() + budget) {}

    // Returns the remaining milliseconds, at most `most`.
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

constexpr long longest_wait = 1000; // milliseconds, in case a wake-up is lost

// Waits for a descriptor (WL_SOCKET_READABLE, WL_SOCKET_WRITEABLE; 0 to wait for the timeout only) and processes the
// interrupts of this server. Returns whether the descriptor is ready.
bool wait_interruptibly(int descriptor, int events, long timeout_milliseconds);
// Waits so long, or until something happens that may be waited for.
inline void wait_milliseconds(long milliseconds) { (void)wait_interruptibly(PGINVALID_SOCKET, 0, milliseconds); }

} // namespace pgci
