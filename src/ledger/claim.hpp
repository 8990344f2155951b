// The claim of a run on a window of its target: runs whose windows overlap wait for each other, others do not.
#pragma once

#include <string>

#include "ledger/owner_statement.hpp"
#include "ledger/run_key.hpp"

namespace pgci {

// A row of a table with an exclusion constraint. A run has one claim, and waits for others only while it makes it, so that runs
// cannot wait for each other in a circle. Other transactions wait for the end of the one that has the claim. If it fails or its
// process ends, nothing is left; a claim that was committed is valid as long as a lock of its process.
class Claim {
  public:
    // Waits for runs into the target, or another partition of the same table, whose window overlaps. Runs that only append
    // wait only for those from the same source, and for those that do more. `spans_transactions`: the claim is to be
    // committed and lasts as long as the object. Raises 55P03, 57014, 40P01, as any wait for a lock; 40001 in a transaction
    // that does not see a claim that was committed.
    Claim(Oid schema, const RunKey &key, bool only_appends, bool spans_transactions);
    ~Claim();
    Claim(const Claim &) = delete;
    Claim &operator=(const Claim &) = delete;

    // To be called at the end of the run, in its last transaction. Others wait until this transaction has ended.
    void release() const;

  private:
    bool try_insert();
    void wait_for_committed() const;

    OwnTable table_;
    std::vector<Parameter> place_;
    std::int64_t id_ = 0;
    std::string row_{}; // ctid
    bool spans_transactions_;
};

} // namespace pgci
