#include "connection/answer_memory.hpp"

#include <malloc.h>

#include <utility>

namespace pgci {

std::int64_t allocated_bytes() noexcept {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    const struct mallinfo2 info = mallinfo2();
    return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
#else
    return 0;
#endif
}

std::int64_t AnswerMemory::set_most(std::int64_t most) noexcept { return std::exchange(most_, most); }

void AnswerMemory::start() noexcept {
    if (most_ >= 0) allocated_ = allocated_bytes();
}

bool AnswerMemory::is_within() noexcept {
    constexpr std::int64_t libpq_slack = 1 << 20; // what libpq allocates besides an answer
    if (most_ < 0) return true;
    const std::int64_t now = allocated_bytes();
    growth_ += now - std::exchange(allocated_, now);
    return growth_ <= 4 * most_ + libpq_slack;
}

} // namespace pgci
