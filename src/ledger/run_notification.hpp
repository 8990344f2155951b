// NOTIFY copy_incremental, at the end of every run.
#pragma once

#include <string>

namespace pgci {

// Notifies the listeners of the channel copy_incremental when the transaction commits, unless the subtransaction is rolled back
// before. PREPARE TRANSACTION discards the notification, because PostgreSQL cannot prepare a transaction that has executed
// NOTIFY. `payload` is shorter than 8000 bytes.
void notify_at_commit(const std::string &payload);

} // namespace pgci
