#include "connection/connection_keeper.hpp"

namespace pgci {

bool ConnectionKeeper::has(const ConnectionOptions &options) {
    if (kept_ == nullptr) return false;
    if (options == options_ && kept_->is_idle()) return true;
    kept_.reset();
    return false;
}

std::unique_ptr<RemoteConnection> ConnectionKeeper::take(const ConnectionOptions &options) {
    if (has(options)) return std::move(kept_);
    return std::make_unique<RemoteConnection>(options, memory_);
}

void ConnectionKeeper::keep(std::unique_ptr<RemoteConnection> connection, const ConnectionOptions &options) {
    if (connection->is_in_pipeline()) connection->leave_pipeline();
    connection->set_written("Nothing was written");
    if (!connection->is_idle()) return;
    kept_ = std::move(connection);
    options_ = options;
}

} // namespace pgci
