// Asynchronous messages of the source: notices are logged, notifications are dropped.
#pragma once

#include <string>
#include <vector>

#include <libpq-fe.h>

namespace pgci {

// The notices of one connection. libpq reports each while it parses input, where an error must not be raised.
class SourceMessages {
  public:
    // For PQsetNoticeReceiver; `self` is the object. Keeps the text of a limited number of notices.
    static void collect(void *self, const PGresult *result) noexcept;

    // Logs the collected notices at DEBUG1 and drops the notifications of the connection.
    void take(PGconn *connection);

  private:
    std::vector<std::string> notices_{}; // not yet logged
    int count_ = 0;
};

} // namespace pgci
