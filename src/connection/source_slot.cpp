#include "connection/source_slot.hpp"

#include <set>

#include "server/guard.hpp"
#include "connection/interruptible_wait.hpp"

namespace pgci {

int max_source_connections = 0;

namespace {

constexpr std::uint64_t most_slots = 1 << 16;

// A process gets a lock that it has already, so it must know which ones these are.
std::set<std::uint64_t> &own_slots() {
    static std::set<std::uint64_t> numbers;
    return numbers;
}

// Users and databases share the connections of a server. Sources have the same number only by chance.
std::uint64_t number_of(const ConnectionOptions &options) {
    std::string place;
    for (const char *const keyword : {"service", "host", "hostaddr"})
        place.append(options.value_or(keyword, "")).append(1, '\0');
    place.append(options.value_or("port", "5432"));
    return hash_bytes_extended(reinterpret_cast<const unsigned char *>(place.data()), static_cast<int>(place.size()),
                               0) /
           most_slots * most_slots;
}

} // namespace

SourceSlot::SourceSlot(const ConnectionOptions &options, const WaitObserver &observer, ConnectionUse use) {
    if (max_source_connections == 0) return;
    const int limit = max_source_connections - (use == ConnectionUse::holds_snapshot ? 1 : 0);
    if (limit == 0)
        raise(sqlstate::configuration_limit, "a job group needs two connections to its source",
              "Set copy_incremental.max_source_connections to 2 or more.",
              "One of them holds the snapshot that the runs of the group read.");
    const std::uint64_t source = number_of(options);
    if (take(source, limit)) return;
    constexpr long pause = 100; // milliseconds
    if (observer) observer(true);
    do wait_milliseconds(pause);
    while (!take(source, limit));
    if (observer) observer(false);
}

bool SourceSlot::take(std::uint64_t source, int limit) {
    for (std::uint64_t slot = 0; slot < static_cast<std::uint64_t>(limit); ++slot) {
        number_ = source + slot;
        if (own_slots().contains(number_)) continue;
        lock_.emplace(LockClass::source_connection, MyDatabaseId, number_);
        if (lock_->take()) {
            own_slots().insert(number_);
            return true;
        }
        lock_.reset();
    }
    return false;
}

SourceSlot::~SourceSlot() {
    if (lock_) own_slots().erase(number_);
}

} // namespace pgci
