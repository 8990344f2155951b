#include "run/request_check.hpp"

#include "target/load_plan.hpp"
#include "run/resolved_request.hpp"
#include "run/run_scope.hpp"

namespace pgci {

RunKey check_request(const CopyRequest &request) {
    const RunGuard guard;
    check_may_write();
    ResolvedRequest resolved(request, TargetUse::write);
    make_plan(request, resolved.columns(), resolved.target(), resolved.slice());
    resolved.source().send_commit();
    resolved.source().receive_commit();
    return resolved.key();
}

} // namespace pgci
