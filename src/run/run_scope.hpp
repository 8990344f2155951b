// What holds in this session while a run is under way.
#pragma once

#include "server/run_failure.hpp"

namespace pgci {

// Refuses to copy where nothing can be written: 25006 during recovery and in a read-only transaction, 42501 in an index
// expression or a materialized view's query.
void check_may_write();

// Refuses to run inside a run of its own (55006): a trigger or a function of the target must not call back. It is the
// one piece of state that a session keeps, and unwinding always resets it.
class RunGuard {
  public:
    RunGuard();
    ~RunGuard() { running = false; }
    RunGuard(const RunGuard &) = delete;
    RunGuard &operator=(const RunGuard &) = delete;

  private:
    static inline bool running = false;
};

// While it lives, this server looks once a second whether its client is still there, and ends the session if it is not:
// no work is done for nobody. It is client_connection_check_interval, where that is off.
class ClientWatch {
  public:
    ClientWatch();
    // The timer may fire once more, and then sees that it has nothing to do.
    ~ClientWatch();
    ClientWatch(const ClientWatch &) = delete;
    ClientWatch &operator=(const ClientWatch &) = delete;

  private:
    const int interval_;
};

// Transactions one after the other.
class TransactionChain {
  public:
    virtual ~TransactionChain() = default;
    // Commits and begins anew.
    virtual void commit() const = 0;
    // The same, where an error of the commit is returned, after a new transaction has begun; of a worker, a cancel is,
    // too.
    virtual std::optional<RunFailure> try_commit() const = 0;
};

// The transactions of a run: the caller's, or, for a procedure, one after the other. A procedure may commit only where
// the client's statement is the procedure's call itself.
class ProcedureScope : public TransactionChain {
  public:
    explicit ProcedureScope(bool is_procedure);
    ProcedureScope(const ProcedureScope &) = delete;
    ProcedureScope &operator=(const ProcedureScope &) = delete;

    // Lasts as long as the run.
    MemoryContext memory() const { return is_procedure_ ? PortalContext : CurTransactionContext; }
    // Commits and begins anew in a procedure; does nothing else.
    void commit() const override;
    std::optional<RunFailure> try_commit() const override;
    // Commits, and holds no snapshot, which would keep VACUUM from its work, until commit().
    void rest() const;
    // At the end of the run; an error leaves it to the abort.
    void finish() const;

  private:
    bool is_procedure_;
};

} // namespace pgci
