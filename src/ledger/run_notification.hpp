// NOTIFY copy_incremental, at the end of every run.
#pragma once

#include <string>

namespace pgci {

// Notifies the listeners of the channel copy_incremental when the transaction commits, unless the subtransaction is rolled back
// before. A transaction that is prepared notifies nobody, because PostgreSQL prepares none that has notified. `payload` is less
// than 8000 bytes long.
void notify_at_commit(const std::string &payload);

} // namespace pgci
