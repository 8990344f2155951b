// The limit on the connections of a database's runs to one source.
#pragma once

#include <functional>

#include "server/process_lock.hpp"
#include "connection/connection_options.hpp"

namespace pgci {

// Parameter copy_incremental.max_source_connections: the most connections to one host and port that runs in this database have at
// the same time. 0: no limit.
extern int max_source_connections;

// Is called with true when a wait for a connection begins, and with false when it ends.
using WaitObserver = std::function<void(bool waits)>;

// What a connection is for: reading rows, or holding the snapshot that others read.
enum class ConnectionUse : bool { reads, holds_snapshot };

// The right to have a connection to a source, as long as the object or the process exists. It is a lock with one of
// max_source_connections numbers, so nothing is left when a process dies.
class SourceSlot {
  public:
    // Waits until the source has fewer connections than the limit. Processes interrupts. One that holds a snapshot does not take
    // the last connection, because its runs need one: otherwise two groups could wait for each other. Raises 53400 if the limit is 1.
    SourceSlot(const ConnectionOptions &options, const WaitObserver &observer, ConnectionUse use);
    ~SourceSlot();
    SourceSlot(const SourceSlot &) = delete;
    SourceSlot &operator=(const SourceSlot &) = delete;

  private:
    bool take(std::uint64_t source, int limit);

    std::optional<ProcessLock> lock_{};
    std::uint64_t number_ = 0;
};

} // namespace pgci
