// The one way to wait for something outside of this server, and how long that may take.
#pragma once

#include <algorithm>
#include <chrono>

#include "server/pg.hpp"

namespace pgci {

// Until when something may take.
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

constexpr long longest_wait = 1000; // milliseconds, should a wake-up be lost

// Waits for a descriptor (WL_SOCKET_READABLE, WL_SOCKET_WRITEABLE; 0 for the time alone), at most so long, and serves
// this server's own interrupts meanwhile. Returns whether the descriptor is ready.
bool wait_interruptibly(int descriptor, int events, long timeout_milliseconds);

} // namespace pgci
