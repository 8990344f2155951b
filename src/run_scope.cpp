#include "run_scope.hpp"

#include "compat.hpp"
#include "spi.hpp"

namespace pgci {

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

ProcedureScope::ProcedureScope(bool is_procedure) : is_procedure_(is_procedure) {
    if (is_procedure_) pg_call([] { spi_connect(SPI_OPT_NONATOMIC); });
}

void ProcedureScope::commit() const {
    if (!is_procedure_) return;
    pg_call(
        [] {
            SPI_commit();
            EnsurePortalSnapshotExists();
        },
        memory());
}

void ProcedureScope::finish() const {
    if (is_procedure_) pg_call([] { spi_finish(); });
}

} // namespace pgci
