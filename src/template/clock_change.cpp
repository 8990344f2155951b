#include "template/clock_change.hpp"

namespace pgci {

std::optional<ClockChange> next_change(TimestampTz instant, const TimeZone &zone) {
    constexpr std::int64_t epoch_shift = std::int64_t{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * SECS_PER_DAY;
    const std::int64_t fraction = (instant % USECS_PER_SEC + USECS_PER_SEC) % USECS_PER_SEC;
    const pg_time_t second = (instant - fraction) / USECS_PER_SEC + epoch_shift;
    long offset_before = 0;
    long offset_after = 0;
    int is_dst_before = 0;
    int is_dst_after = 0;
    pg_time_t boundary = 0;
    if (pg_next_dst_boundary(&second, &offset_before, &is_dst_before, &boundary, &offset_after, &is_dst_after,
                             zone.get()) != 1)
        return std::nullopt;
    const TimestampTz at = (boundary - epoch_shift) * USECS_PER_SEC;
    return ClockChange{at, at + offset_before * USECS_PER_SEC, at + offset_after * USECS_PER_SEC};
}

} // namespace pgci
