#include "request_check.hpp"

#include "conninfo.hpp"
#include "load_plan.hpp"
#include "run_scope.hpp"
#include "slice.hpp"

namespace pgci {

RunKey check_request(const CopyRequest &request) {
    const RunGuard guard;
    check_may_write();
    const TimeZone zone = TimeZone::resolve(request.time_zone ? request.time_zone->c_str() : nullptr);
    RunKey key;
    key.query_hash = hash_query(request.query_template);
    if (request.day) key.window = Window::of_day(*request.day, zone);
    const WindowText *const text = key.window ? &key.window->text() : nullptr;
    const SourceQuery query(request.query_template, text);
    const std::string slice = request.replace_where ? slice_condition(*request.replace_where, text) : "";
    if (request.transform) check_transform(*request.transform);
    std::optional<Target> target;
    if (OidIsValid(request.target)) target = Target::open(request.target);

    const ConnectionOptions options = resolve_source(request.src_conninfo);
    SourceSession source(options, zone, CurTransactionContext);
    const std::vector<SourceColumn> columns = source.describe(query);
    if (!target) target = Target::find(query, columns, source);
    make_plan(request, columns, *target, slice);
    source.send_commit();
    source.receive_commit();
    key.target = target->oid();
    key.source = options.identity();
    return key;
}

} // namespace pgci
