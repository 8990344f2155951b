#include "run/run_scope.hpp"

#include "server/compat.hpp"
#include "server/spi.hpp"
#include "server/subtransaction.hpp"

namespace pgci {

void check_may_write() {
    pg_call([] {
        if (RecoveryInProgress())
            ereport(ERROR,
                    (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                     errmsg("cannot call copy_incremental() during recovery"), errhint("Run it on the primary.")));
        PreventCommandIfReadOnly("copy_incremental()");
        PreventCommandIfParallelMode("copy_incremental()");
        if (InSecurityRestrictedOperation())
            ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                            errmsg("cannot call copy_incremental() within security-restricted operation"),
                            errhint("Do not call it from index expressions or materialized views.")));
    });
}

RunGuard::RunGuard() {
    if (running)
        raise(sqlstate::object_in_use, "copy_incremental is already running in this session",
              "Do not call it from triggers, defaults, domains or casts of the target.");
    running = true;
}

ClientWatch::ClientWatch() : interval_(client_connection_check_interval) {
    constexpr int milliseconds = 1000;
    if (interval_ > 0 || !compat::can_see_client_leave()) return;
    pg_call([] {
        if (!get_timeout_active(CLIENT_CONNECTION_CHECK_TIMEOUT))
            enable_timeout_after(CLIENT_CONNECTION_CHECK_TIMEOUT, milliseconds);
    });
    client_connection_check_interval = milliseconds;
}

ClientWatch::~ClientWatch() { client_connection_check_interval = interval_; }

CommitMemory::CommitMemory(MemoryContext parent) {
    constexpr Size size = 32 * 1024;
    memory_ = pg_call(
        [=] { return AllocSetContextCreate(parent, "copy_incremental commit", size, size, ALLOCSET_DEFAULT_MAXSIZE); });
}

ProcedureScope::ProcedureScope(bool is_procedure) {
    if (!is_procedure) return;
    commit_memory_.emplace(PortalContext);
    pg_call([] { spi_connect(SPI_OPT_NONATOMIC); });
}

void ProcedureScope::commit() const {
    if (!commit_memory_) return;
    pg_call(
        [this] {
            commit_memory_->with(SPI_commit);
            EnsurePortalSnapshotExists();
        },
        memory());
}

std::optional<RunFailure> ProcedureScope::try_commit() const {
    try {
        commit();
        return std::nullopt;
    } catch (const PgError &error) {
        if (ends_the_call(error.data()->sqlerrcode)) throw;
        RunFailure failure = describe_error(error.data());
        // SPI_commit starts a new transaction even if the commit fails.
        pg_call([] { EnsurePortalSnapshotExists(); });
        return failure;
    }
}

void ProcedureScope::rest() const {
    pg_call([this] { commit_memory_->with(SPI_commit); }, memory());
}

void ProcedureScope::finish() const {
    if (commit_memory_) pg_call([] { spi_finish(); });
}

} // namespace pgci
