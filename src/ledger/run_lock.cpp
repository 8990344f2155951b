#include "ledger/run_lock.hpp"

#include "server/guard.hpp"

namespace pgci {

RunLife::RunLife(std::int64_t run_id) : lock_(LockClass::run_life, MyDatabaseId, static_cast<std::uint64_t>(run_id)) {
    if (!lock_.take())
        raise(sqlstate::object_in_use, "run " + std::to_string(run_id) + " is already under way",
              "Check whether the sequence pgci_runs_run_id_seq was set back.");
}

void lock_job(std::int64_t job_id, JobLock lock) {
    const LOCKTAG tag = lock_tag(LockClass::job, MyDatabaseId, static_cast<std::uint64_t>(job_id));
    pg_call([=] { (void)LockAcquire(&tag, lock == JobLock::shared ? ShareLock : ExclusiveLock, false, false); });
}

void lock_job_name(const std::string &name) {
    const std::uint64_t number =
        hash_bytes_extended(reinterpret_cast<const unsigned char *>(name.data()), static_cast<int>(name.size()), 0);
    const LOCKTAG tag = lock_tag(LockClass::job_name, MyDatabaseId, number);
    pg_call([=] { (void)LockAcquire(&tag, ExclusiveLock, false, false); });
}

bool mark_windows(std::int64_t job_id, const WindowGrid &grid, Span span) {
    constexpr std::int64_t most_marked_windows = 1000;
    const std::int64_t first = grid.number_at(span.start);
    const std::int64_t last = grid.number_at(span.end - 1);
    if (last - first >= most_marked_windows) return true;
    for (std::int64_t place = first; place <= last; ++place) {
        // A mark of two windows with the same number only leaves one of them to a later call.
        const std::uint64_t number =
            hash_combine64(static_cast<std::uint64_t>(job_id), static_cast<std::uint64_t>(grid.start_of(place)));
        const LOCKTAG tag = lock_tag(LockClass::job_window, MyDatabaseId, number);
        if (pg_call([&] { return LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL; }))
            return false;
    }
    return true;
}

} // namespace pgci
