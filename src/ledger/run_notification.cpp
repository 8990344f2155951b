#include "ledger/run_notification.hpp"

#include "server/guard.hpp"

namespace pgci {

namespace {

// A list in the memory of the transaction, newest first.
struct Pending {
    Pending *earlier;
    SubTransactionId subtransaction;
    const char *payload;
};

// Global, because PostgreSQL passes no pointer of the transaction to the callbacks at its end.
Pending *pending = nullptr;
bool is_registered = false;

// Sends the notifications, the oldest first, and empties the list.
void notify_all() {
    Pending *oldest = nullptr;
    while (pending != nullptr) {
        Pending *const next = pending;
        pending = next->earlier;
        next->earlier = oldest;
        oldest = next;
    }
    for (; oldest != nullptr; oldest = oldest->earlier) Async_Notify("copy_incremental", oldest->payload);
}

void at_transaction_end(XactEvent event, void *) {
    if (event == XACT_EVENT_PRE_COMMIT) notify_all();
    if (event == XACT_EVENT_PREPARE || event == XACT_EVENT_ABORT) pending = nullptr;
}

// Removes the notifications of the subtransaction and of its children, whose numbers are not lower than its own.
void at_subtransaction_end(SubXactEvent event, SubTransactionId subtransaction, SubTransactionId, void *) {
    if (event != SUBXACT_EVENT_ABORT_SUB) return;
    while (pending != nullptr && pending->subtransaction >= subtransaction) pending = pending->earlier;
}

} // namespace

void notify_at_commit(const std::string &payload) {
    const char *const text = payload.c_str();
    pg_call([=] {
        if (!is_registered) {
            RegisterXactCallback(at_transaction_end, nullptr);
            RegisterSubXactCallback(at_subtransaction_end, nullptr);
            is_registered = true;
        }
        auto *const next = static_cast<Pending *>(MemoryContextAlloc(TopTransactionContext, sizeof(Pending)));
        next->earlier = pending;
        next->subtransaction = GetCurrentSubTransactionId();
        next->payload = MemoryContextStrdup(TopTransactionContext, text);
        pending = next;
    });
}

} // namespace pgci
