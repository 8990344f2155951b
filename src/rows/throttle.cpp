#include "rows/throttle.hpp"

#include "server/guard.hpp"
#include "connection/interruptible_wait.hpp"
#include "connection/question.hpp"
#include "request/copy_arguments.hpp"
#include "ledger/progress.hpp"

namespace pgci {

namespace {

using namespace std::chrono_literals;

// A run that was late may read the rows of so long at once.
constexpr auto most_late = 100ms;
// Requests in a second.
constexpr std::int64_t parts = 20;
constexpr auto between_looks = 1s;

void wait_until(std::chrono::steady_clock::time_point end) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
        if (left <= 0) return;
        wait_milliseconds(std::min(static_cast<long>(left), longest_wait));
    }
}

// All values of pg_stat_get_wal_senders() but pid are NULL for a role that may not see them. It reads shared memory, so its values are
// not those of the snapshot.
Question lag_question() {
    return {.kind = "the question about replicas",
            .statement =
                RemoteConnection::Statement{
                    .sql = "SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')::pg_catalog.int4, "
                           "coalesce(pg_catalog.max(pg_catalog.pg_wal_lsn_diff(CASE WHEN "
                           "pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE "
                           "pg_catalog.pg_current_wal_lsn() END, s.replay_lsn)), 0)::pg_catalog.int8 FROM "
                           "pg_catalog.pg_stat_get_wal_senders() AS s"},
            .columns = 2};
}

std::int64_t ask_for_lag(RemoteConnection &connection) {
    const Answer answer = ask(connection, lag_question());
    if (answer.integer(0, 0, 0, 1) == 0)
        raise(sqlstate::insufficient_privilege, "the source's role may not see how far replicas are behind",
              "GRANT pg_read_all_stats to the source's role, or leave max_replica_lag out.");
    return answer.integer(0, 1, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
}

void say_waiting(const std::string &target, std::int64_t lag) {
    pg_call([=, name = target.c_str()] {
        ereport(NOTICE, (errmsg("copying into %s waits for replicas of the source", name),
                         errdetail("One of them is " INT64_FORMAT " bytes of WAL behind.", lag),
                         errhint("max_replica_lag says how far they may be behind.")));
    });
}

} // namespace

Throttle::Throttle(const RequestOptions &options, const std::string &target)
    : target_(target), rows_per_second_(options.max_rows_per_second.value_or(0)),
      most_lag_(options.max_replica_lag ? read_size(*options.max_replica_lag, "max_replica_lag") : -1) {}

int Throttle::most_rows_of_fetch(int batch) const {
    return rows_per_second_ == 0 ? batch
                                 : static_cast<int>(std::clamp<std::int64_t>(rows_per_second_ / parts, 1, batch));
}

int Throttle::most_rows_of_batch(int batch) const {
    return rows_per_second_ == 0 ? batch : static_cast<int>(std::min<std::int64_t>(rows_per_second_, batch));
}

void Throttle::wait() const {
    if (rows_per_second_ > 0) wait_until(next_);
}

void Throttle::count(std::int64_t rows) {
    if (rows_per_second_ == 0) return;
    const std::chrono::duration<double> time(static_cast<double>(rows) / static_cast<double>(rows_per_second_));
    next_ = std::max(next_, Clock::now() - most_late) + std::chrono::duration_cast<Clock::duration>(time);
}

void Throttle::look(RemoteConnection &connection) {
    for (bool waits = false;; waits = true) {
        const std::int64_t lag = ask_for_lag(connection);
        next_look_ = Clock::now() + between_looks;
        if (lag <= most_lag_) {
            if (waits) RunProgress::change(Activity::copies);
            return;
        }
        if (!std::exchange(has_told_, true)) say_waiting(target_, lag);
        if (!waits) RunProgress::change(Activity::waits_for_replicas);
        wait_until(next_look_);
    }
}

} // namespace pgci
