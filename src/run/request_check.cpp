#include "run/request_check.hpp"

#include "run/prepared_run.hpp"
#include "run/run_scope.hpp"

namespace pgci {

RunKey check_request(const CopyRequest &request) {
    const RunGuard guard;
    check_may_write();
    PreparedRun run(request, TargetUse::write);
    run.open();
    run.plan();
    run.source().send_commit();
    run.source().receive_commit();
    return run.key();
}

} // namespace pgci
