// How far catch_up loads a job of ids.
#pragma once

#include <string>
#include <vector>

#include "connection/connection_keeper.hpp"
#include "ledger/jobs.hpp"

namespace pgci {

struct SettledIds {
    std::vector<Span> windows{}; // that are settled and not covered, in order
    std::string waiting{};       // a sentence about ids that are not settled; empty if there are none
};

// Reads the highest id at the source, stores it as a mark of the job, and looks for two seconds whether the transactions end that may
// still commit a smaller one; with settle => 'wait', as long as they last. The windows end with the highest mark that is settled.
// Raises PI002 if it cannot be known what is settled, unless settle is off, and with settle => 'error' for transactions that do not end;
// PI003 if the ids have begun again; and what a run raises before its first row. Finds at most the first `most` windows.
SettledIds find_settled_ids(Oid schema, const Job &job, ConnectionKeeper &keeper, std::size_t most);

} // namespace pgci
