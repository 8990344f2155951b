#include "ledger/run_lock.hpp"

#include <algorithm>

#include "server/guard.hpp"

namespace pgci {

RunLife::RunLife(std::int64_t run_id) : lock_(LockClass::run_life, MyDatabaseId, static_cast<std::uint64_t>(run_id)) {
    if (!lock_.take())
        raise(sqlstate::object_in_use, "run " + std::to_string(run_id) + " is already under way",
              "Was the sequence of copy_incremental_runs set back?");
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

bool mark_windows(std::int64_t job_id, const std::vector<TimeSpan> &windows) {
    if (windows.size() > most_marked_windows) return true;
    return std::all_of(windows.begin(), windows.end(), [=](const TimeSpan &window) {
        // A mark of two windows with the same number only leaves one of them to a later call.
        const std::uint64_t number =
            hash_combine64(static_cast<std::uint64_t>(job_id), static_cast<std::uint64_t>(window.start));
        const LOCKTAG tag = lock_tag(LockClass::job_window, MyDatabaseId, number);
        return pg_call([&] { return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL; });
    });
}

} // namespace pgci
