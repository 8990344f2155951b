// Slows a run down, so that it leaves the source to others.
#pragma once

#include <chrono>

#include "connection/remote_connection.hpp"
#include "request/copy_request.hpp"

namespace pgci {

// What the options max_rows_per_second and max_replica_lag say. All waits process interrupts.
class Throttle {
  public:
    // `target` is its name in messages, and must outlive this object.
    Throttle(const RequestOptions &options, const std::string &target);

    // Whether there is nothing to do.
    bool is_off() const { return rows_per_second_ == 0 && most_lag_ < 0; }
    // The most rows to ask for at a time, and the most of a batch: those of one second.
    int most_rows_of_fetch(int batch) const;
    int most_rows_of_batch(int batch) const;

    // Whether so many rows may be read now.
    bool may_read() const { return rows_per_second_ == 0 || Clock::now() >= next_; }
    // Waits until rows may be read.
    void wait() const;
    // Rows are read, or asked for.
    void count(std::int64_t rows);

    // Whether a second has passed since the last look at the replicas of the source.
    bool must_look() const { return most_lag_ >= 0 && Clock::now() >= next_look_; }
    // Asks the source how far its replicas are behind, and again every second while that is too far. Nothing else may be pending.
    // Raises 42501 if the role may not see it.
    void look(RemoteConnection &connection);

  private:
    using Clock = std::chrono::steady_clock;

    const std::string &target_;
    std::int64_t rows_per_second_; // 0: no limit
    std::int64_t most_lag_;        // bytes; -1: do not look
    Clock::time_point next_ = Clock::now();
    Clock::time_point next_look_ = next_;
    bool has_told_ = false;
};

} // namespace pgci
