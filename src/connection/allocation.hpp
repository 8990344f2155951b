// How much memory this process has allocated by malloc. libpq makes room for a message when it has read the length that
// the message announces, before the rest of it arrives, and says so to nobody.
#pragma once

#include <malloc.h>

#include <cstdint>

namespace pgci {

// Bytes in use; always 0 where the C library does not tell.
inline std::int64_t allocated_bytes() noexcept {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    const struct mallinfo2 info = mallinfo2();
    return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
#else
    return 0;
#endif
}

} // namespace pgci
