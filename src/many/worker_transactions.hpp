// The transactions of a background worker.
#pragma once

#include "many/session_state.hpp"
#include "run/run_scope.hpp"

namespace pgci {

// One is always open, from the constructor to finish(). Each has the identity of the calling session.
class WorkerTransactions : public TransactionChain {
  public:
    explicit WorkerTransactions(const SessionIdentity &identity);

    void commit() const override;
    std::optional<RunFailure> try_commit() const override;
    void rest() const override;

    // Ends the last transaction.
    void finish() const;

  private:
    void begin() const;
    void end() const;
    // Runs it in the memory of the transactions, and returns to that of the caller.
    template <class Function> void run(Function &&function) const;

    const SessionIdentity &identity_;
    MemoryContext memory_;
    CommitMemory commit_memory_;
};

} // namespace pgci
