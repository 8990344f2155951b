#include "run/prepared_run.hpp"

#include "server/guard.hpp"
#include "connection/conninfo.hpp"
#include "template/slice.hpp"
#include "source/settled_window.hpp"
#include "ledger/rerun.hpp"
#include "target/batch_relation.hpp"

namespace pgci {

namespace {

// In such an operation the code of an owner runs as whoever vacuums or refreshes, whose user mapping it must not use.
void check_may_connect() {
    pg_call([] {
        if (InSecurityRestrictedOperation())
            ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                            errmsg("cannot connect to a source within security-restricted operation"),
                            errhint("Do not do it from index expressions or materialized views.")));
    });
}

} // namespace

PreparedRun::PreparedRun(const CopyRequest &request, TargetUse use, MemoryContext memory)
    : request_(request), use_(use), memory_(memory),
      zone_(TimeZone::resolve(request.time_zone ? request.time_zone->c_str() : nullptr)) {
    key_.window = request.window(zone_);
}

// What needs no connection.
void PreparedRun::resolve() {
    check_may_connect();
    query_.emplace(request_.query_template, window_text());
    if (request_.replace_where) slice_ = slice_condition(*request_.replace_where, window_text());
    if (request_.transform) check_transform(*request_.transform);
    if (OidIsValid(request_.target)) target_ = Target::open(request_.target, use_);
    options_ = resolve_source(request_.src_conninfo);
    key_.source = identify_source(*options_);
    key_.query_hash = hash_query(request_.query_template);
}

void PreparedRun::connect() {
    source_.emplace(*options_, zone_, memory_);
    columns_ = source_->describe(*query_);
    if (!target_) target_ = Target::find(*query_, columns_, *source_, use_);
    key_.target = target_->oid();
}

void PreparedRun::open() {
    resolve();
    connect();
}

bool PreparedRun::take_turn(const Ledger &ledger) {
    key_.target = target_->oid();
    turn_.emplace(key_, request_.commit_batches);
    return may_begin(request_, ledger, key_);
}

bool PreparedRun::open_in_turn(const Ledger &ledger) {
    resolve();
    if (target_) {
        if (!take_turn(ledger)) return false;
        connect();
        return true;
    }
    const TimestampTz before_source = GetCurrentTimestamp();
    connect();
    if (!take_turn(ledger)) return false;
    // What an earlier run of the window has written must not be newer than what this one reads.
    if (turn_->had_to_wait() || ledger.has_written_since(key_, before_source)) restart_source();
    return true;
}

void PreparedRun::restart_source() {
    source_->restart(zone_);
    columns_ = source_->describe(*query_);
}

void PreparedRun::settle() {
    if (key_.window && settle_window(*source_, zone_, *key_.window, request_.settle))
        columns_ = source_->describe(*query_);
}

LoadPlan PreparedRun::plan() const {
    check_not_itself(*source_, columns_, *target_);
    return make_plan(request_, columns_, *target_, slice_);
}

Comparison PreparedRun::comparison(const std::vector<std::string> &key) {
    return make_comparison(*source_, *query_, columns_, *target_, slice_, window_text(), key, zone_);
}

void PreparedRun::plan_again(LoadPlan &plan) {
    target_->open_again();
    replan(plan, request_, columns_, *target_, slice_);
}

} // namespace pgci
