#include "connection/connection_keeper.hpp"

#include <memory>

namespace pgci {

std::unique_ptr<RemoteConnection> ConnectionKeeper::take(const ConnectionOptions &options) {
    std::unique_ptr<RemoteConnection> kept = std::move(kept_);
    if (kept != nullptr && (options != options_ || !kept->is_idle())) kept.reset();
    return kept;
}

std::unique_ptr<RemoteConnection> ConnectionKeeper::connect(const ConnectionOptions &options,
                                                            const WaitObserver &observer, ConnectionUse use) const {
    return std::make_unique<RemoteConnection>(options, memory_, observer, use);
}

void ConnectionKeeper::keep(std::unique_ptr<RemoteConnection> connection, const ConnectionOptions &options) {
    if (connection->is_in_pipeline()) connection->leave_pipeline();
    if (!connection->is_idle()) return;
    kept_ = std::move(connection);
    options_ = options;
}

} // namespace pgci
