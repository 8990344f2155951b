#include "server/process_lock.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"

namespace pgci {

LOCKTAG lock_tag(LockClass lock_class, Oid database, std::uint64_t number) {
    LOCKTAG tag{};
    SET_LOCKTAG_ADVISORY(tag, database, static_cast<uint32>(number >> 32), static_cast<uint32>(number),
                         static_cast<std::uint16_t>(lock_class));
    tag.locktag_lockmethodid = DEFAULT_LOCKMETHOD;
    return tag;
}

void release_session_lock(const LOCKTAG &tag) noexcept {
    if (compat::holds_lock(tag, ExclusiveLock)) (void)LockRelease(&tag, ExclusiveLock, true);
}

ProcessLock::ProcessLock(LockClass lock_class, Oid database, std::uint64_t number)
    : table_method_(lock_tag(lock_class, database, number)), advisory_method_(table_method_) {
    advisory_method_.locktag_lockmethodid = USER_LOCKMETHOD;
}

ProcessLock::~ProcessLock() {
    release_session_lock(advisory_method_);
    release_session_lock(table_method_);
}

bool ProcessLock::take() {
    const auto take_one = [](const LOCKTAG &tag) {
        return compat::holds_lock(tag, ExclusiveLock) ||
               LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
    };
    const bool taken = pg_call([&] { return take_one(table_method_) && take_one(advisory_method_); });
    if (!taken && !compat::holds_lock(advisory_method_, ExclusiveLock)) release_session_lock(table_method_);
    return taken;
}

bool ProcessLock::is_free() const {
    return pg_call([this] {
        int others = 0;
        int more_others = 0;
        (void)GetLockConflicts(&table_method_, ExclusiveLock, &others);
        (void)GetLockConflicts(&advisory_method_, ExclusiveLock, &more_others);
        return others + more_others == 0;
    });
}

} // namespace pgci
