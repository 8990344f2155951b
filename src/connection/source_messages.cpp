#include "connection/source_messages.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"

namespace pgci {

void SourceMessages::collect(void *self, const PGresult *result) noexcept {
    constexpr int most_notices = 100; // of one run
    constexpr std::size_t longest_notice = 1024;
    auto *const messages = static_cast<SourceMessages *>(self);
    if (++messages->count_ > most_notices + 1) return;
    try {
        messages->notices_.push_back(messages->count_ > most_notices
                                         ? "further messages of the source are not logged"
                                         : sanitize(PQresultErrorMessage(result), longest_notice));
    } catch (...) {
        // Without memory, the notice is dropped.
    }
}

void SourceMessages::take(PGconn *connection) {
    while (PGnotify *const notification = PQnotifies(connection)) PQfreemem(notification);
    for (const std::string &notice : notices_) {
        const char *const text = notice.c_str();
        pg_call([text] { ereport(DEBUG1, (errmsg_internal("source server: %s", text))); });
    }
    notices_.clear();
}

} // namespace pgci
