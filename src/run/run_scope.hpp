// Session state during a run.
#pragma once

#include "server/run_failure.hpp"

namespace pgci {

// Raises an error if this session cannot write: 25006 during recovery and in a read-only transaction, 42501 in an index
// expression or a materialized view's query.
void check_may_write();

// Refuses a run inside a run of the same session (55006): a trigger or a function of the target must not start one. The flag is
// global in the session; stack unwinding always resets it.
class RunGuard {
  public:
    RunGuard();
    ~RunGuard() { running = false; }
    RunGuard(const RunGuard &) = delete;
    RunGuard &operator=(const RunGuard &) = delete;

  private:
    static inline bool running = false;
};

// During its lifetime, the server checks once a second whether the client is still connected, and ends the session if not, so
// that a lost client does not leave the server copying. It sets client_connection_check_interval if that is off.
class ClientWatch {
  public:
    ClientWatch();
    // The timer may fire once more. It does nothing then.
    ~ClientWatch();
    ClientWatch(const ClientWatch &) = delete;
    ClientWatch &operator=(const ClientWatch &) = delete;

  private:
    const int interval_;
};

// Commits with room for what PostgreSQL allocates after it has written the commit record: the sessions to notify. If memory
// were out then, the error would be a PANIC of the whole server. There is enough for 2,000 sessions.
class CommitMemory {
  public:
    explicit CommitMemory(MemoryContext parent);
    // Call it in pg_call(). `commit` is a function of PostgreSQL.
    void with(void (*commit)()) const {
        const MemoryContext caller = MemoryContextSwitchTo(memory_);
        commit();
        MemoryContextSwitchTo(caller);
        MemoryContextReset(memory_);
    }

  private:
    MemoryContext memory_;
};

// A sequence of transactions.
class TransactionChain {
  public:
    virtual ~TransactionChain() = default;
    // Commits and starts a new transaction.
    virtual void commit() const = 0;
    // The same, but returns an error of the commit after a new transaction was started. In a worker, it returns a cancel too.
    virtual std::optional<RunFailure> try_commit() const = 0;
    // Commits, and holds no snapshot until commit(), because a snapshot would prevent VACUUM from removing rows.
    virtual void rest() const = 0;
};

// The transactions of a run: the transaction of the caller, or the transactions of a procedure. A procedure may commit only
// if the client's statement is the CALL of the procedure itself.
class ProcedureScope : public TransactionChain {
  public:
    explicit ProcedureScope(bool is_procedure);
    ProcedureScope(const ProcedureScope &) = delete;
    ProcedureScope &operator=(const ProcedureScope &) = delete;

    // Lasts as long as the run.
    MemoryContext memory() const { return commit_memory_ ? PortalContext : CurTransactionContext; }
    // In a procedure, commits and starts a new transaction. Does nothing in a function.
    void commit() const override;
    std::optional<RunFailure> try_commit() const override;
    void rest() const override;
    // Call it at the end of the run. After an error, the abort of the transaction does the same.
    void finish() const;

  private:
    std::optional<CommitMemory> commit_memory_{}; // in a procedure
};

} // namespace pgci
