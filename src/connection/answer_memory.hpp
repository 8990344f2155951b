// How much memory libpq may take for an answer of the source. It makes room for a message when it has read the length that the
// message announces, before the rest of it arrives, and says so to nobody; so this looks at what the process has allocated.
#pragma once

#include <cstdint>

namespace pgci {

// Bytes that this process has allocated by malloc; always 0 where the C library does not tell.
std::int64_t allocated_bytes() noexcept;

// The memory of the answers to a question, one after the other, within a bound.
class AnswerMemory {
  public:
    // Sets the bound of bytes of one answer, -1 for none; returns the one of before.
    std::int64_t set_most(std::int64_t most) noexcept;
    std::int64_t most() const noexcept { return most_; }
    // The next answer begins.
    void begin() noexcept { growth_ = 0; }
    // libpq is about to work; what it allocates counts from here on.
    void start() noexcept;
    // Counts what was allocated since start() or the last call. Returns false when it is much more than an answer within the
    // bound needs: a message is in a buffer, whose size doubles, and in a result.
    bool is_within() noexcept;

  private:
    std::int64_t most_ = -1;
    std::int64_t growth_ = 0;    // since the answer began
    std::int64_t allocated_ = 0; // when it was counted last
};

} // namespace pgci
