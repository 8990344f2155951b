#include "many/worker_transactions.hpp"

#include "server/guard.hpp"

namespace pgci {

WorkerTransactions::WorkerTransactions(const SessionIdentity &identity)
    : identity_(identity), memory_(CurrentMemoryContext), commit_memory_(memory_) {
    pg_call([this] { begin(); }, memory_);
}

// As for a statement of a client: now() returns its start, and its statistics are reported when it has ended.
void WorkerTransactions::begin() const {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    take_identity(identity_);
    PushActiveSnapshot(GetTransactionSnapshot());
    MemoryContextSwitchTo(memory_);
}

void WorkerTransactions::end() const {
    if (ActiveSnapshotSet()) PopActiveSnapshot();
    commit_memory_.with(CommitTransactionCommand);
    pgstat_report_stat(true);
    MemoryContextSwitchTo(memory_);
}

template <class Function> void WorkerTransactions::run(Function &&function) const {
    const MemoryContext caller = CurrentMemoryContext;
    pg_call(std::forward<Function>(function), memory_);
    MemoryContextSwitchTo(caller);
}

void WorkerTransactions::commit() const {
    run([this] {
        end();
        begin();
    });
}

std::optional<RunFailure> WorkerTransactions::try_commit() const {
    const MemoryContext caller = CurrentMemoryContext;
    try {
        commit();
        return std::nullopt;
    } catch (...) {
        RunFailure failure = describe_failure();
        pg_call(
            [this] {
                AbortCurrentTransaction();
                pgstat_report_stat(true);
                begin();
            },
            memory_);
        MemoryContextSwitchTo(caller);
        return failure;
    }
}

void WorkerTransactions::rest() const {
    run([this] {
        end();
        StartTransactionCommand();
        take_identity(identity_);
    });
}

void WorkerTransactions::finish() const {
    pg_call([this] { end(); }, memory_);
}

} // namespace pgci
