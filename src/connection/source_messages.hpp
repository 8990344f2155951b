// What the source says without being asked: notices, which are logged, and notifications, which are dropped.
#pragma once

#include <string>
#include <vector>

#include <libpq-fe.h>

namespace pgci {

// The notices of one connection. libpq hands each over in the middle of its work, where nothing may be raised or logged.
class SourceMessages {
  public:
    // For PQsetNoticeReceiver; `self` is the object. Keeps the text, of a bounded number of notices.
    static void collect(void *self, const PGresult *result) noexcept;

    // Writes the notices that were collected to the log at DEBUG1, and drops the connection's notifications.
    void take(PGconn *connection);

  private:
    std::vector<std::string> notices_{}; // not yet logged
    int count_ = 0;
};

} // namespace pgci
