#include "many/retries.hpp"

#include <algorithm>

namespace pgci {

namespace {

// Another run was in the way. The others wait for a server.
bool is_conflict(int code) {
    return code == SqlState("40001").packed() || code == SqlState("40P01").packed() ||
           code == SqlState("55P03").packed();
}

long growing_pause(int code, int attempts) {
    constexpr double longest = 300'000; // milliseconds
    constexpr int most_doublings = 10;
    const double first = is_conflict(code) ? 200 : 5000;
    const double grown = std::min(longest, first * (1 << std::min(attempts - 1, most_doublings)));
    return static_cast<long>(grown * (0.5 + pg_prng_double(&pg_global_prng_state)));
}

std::string name_of_source(const Job &job) {
    return OidIsValid(job.server) ? std::to_string(job.server) : job.request.src_conninfo;
}

} // namespace

bool is_transient(int code) {
    if (ERRCODE_TO_CATEGORY(code) == ERRCODE_CONNECTION_EXCEPTION) return code != sqlstate::connection_refused.packed();
    return is_conflict(code) || code == sqlstate::too_many_connections.packed() || code == SqlState("57P01").packed() ||
           code == sqlstate::crashed.packed() || code == SqlState("57P03").packed();
}

std::optional<long> Retries::pause_of_group(const RunFailure &failure, const Job &job, int attempts) {
    if (failure.code != sqlstate::snapshot_lost.packed()) return pause_after(failure, job, attempts);
    return pause_after({.code = sqlstate::serialization_failure.packed(), .message = failure.message}, job, attempts);
}

std::optional<long> Retries::pause_after(const RunFailure &failure, const Job &job, int attempts) {
    if (!is_transient(failure.code)) return std::nullopt;
    const bool is_unreachable =
        failure.code == sqlstate::connection_failed.packed() || failure.code == sqlstate::too_many_connections.packed();
    const std::string source = name_of_source(job);
    if (attempts <= job.request.retries && !(is_unreachable && unreachable_.contains(source)))
        return growing_pause(failure.code, attempts);
    if (is_unreachable) unreachable_.insert(source);
    return std::nullopt;
}

} // namespace pgci
