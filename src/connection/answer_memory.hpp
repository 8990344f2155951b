// Limits the memory that libpq allocates for an answer of the source. libpq allocates the length that a message
// announces before it receives the message, and does not report this. Therefore this measures the memory that the
// process has allocated.
#pragma once

#include <cstdint>

namespace pgci {

// Returns the bytes that this process has allocated by malloc; 0 if the C library does not report it.
std::int64_t allocated_bytes() noexcept;

// The memory of the answers to a question, with a limit for each answer.
class AnswerMemory {
  public:
    // Sets the limit in bytes of one answer, -1 for none. Returns the previous limit.
    std::int64_t set_most(std::int64_t most) noexcept;
    std::int64_t most() const noexcept { return most_; }
    // Starts the count for the next answer.
    void begin() noexcept { growth_ = 0; }
    // Call this before libpq reads. Later allocations are counted.
    void start() noexcept;
    // Counts the allocations since start() or the last call. Returns false if they are much more than an answer within
    // the limit needs: libpq keeps a message both in a buffer, whose size it doubles, and in a result.
    bool is_within() noexcept;

  private:
    std::int64_t most_ = -1;
    std::int64_t growth_ = 0;    // bytes since the answer began
    std::int64_t allocated_ = 0; // bytes at the last count
};

} // namespace pgci
