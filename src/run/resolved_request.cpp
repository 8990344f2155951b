#include "run/resolved_request.hpp"

#include "server/guard.hpp"
#include "connection/conninfo.hpp"
#include "template/slice.hpp"
#include "target/batch_relation.hpp"

namespace pgci {

// Here an owner's code runs with the rights of whoever vacuums or refreshes, whose user mapping it must not use.
static void check_may_connect() {
    pg_call([] {
        if (InSecurityRestrictedOperation())
            ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                            errmsg("cannot connect to a source within security-restricted operation"),
                            errhint("Do not do it from index expressions or materialized views.")));
    });
}

ResolvedRequest::ResolvedRequest(const CopyRequest &request, TargetUse use)
    : zone_(TimeZone::resolve(request.time_zone ? request.time_zone->c_str() : nullptr)) {
    check_may_connect();
    key_.query_hash = hash_query(request.query_template);
    key_.window = request.window(zone_);
    const WindowText *const text = key_.window ? &key_.window->text() : nullptr;
    query_.emplace(request.query_template, text);
    if (request.replace_where) slice_ = slice_condition(*request.replace_where, text);
    if (request.transform) check_transform(*request.transform);
    if (OidIsValid(request.target)) target_ = Target::open(request.target, use);
    const ConnectionOptions options = resolve_source(request.src_conninfo);
    key_.source = options.identity();
    source_.emplace(options, zone_, CurTransactionContext);
    columns_ = source_->describe(*query_);
    if (!target_) target_ = Target::find(*query_, columns_, *source_, use);
    key_.target = target_->oid();
}

} // namespace pgci
