// How a prepared run that loads waits for its turn, and whether its window is settled then.
#include "run/prepared_run.hpp"

#include "source/settled_window.hpp"
#include "source/source_names.hpp"
#include "ledger/id_marks.hpp"
#include "ledger/jobs.hpp"
#include "ledger/rerun.hpp"
#include "ledger/run_lock.hpp"
#include "target/base_table.hpp"
#include "target/shared_keys.hpp"
#include "run/follow_source.hpp"

namespace pgci {

void PreparedRun::make_claim() {
    key_.target = target_->oid();
    if (request_.job_id != 0) {
        Jobs(request_.schema).lock_unchanged(request_);
        // Another session may have marked them: this one waits for it below.
        if (key_.window) (void)mark_windows(request_.job_id, *request_.grid, key_.window->span());
    }
    if (writes_foreign_table(*target_)) written_before_claim_ = RunHistory(request_.schema).count_written(key_, true);
    claim_.emplace(request_.schema, claimed_key(), request_.mode == Mode::append && !request_.repair,
                   request_.commit_batches);
}

// Runs that may write the same keys wait for each other as if their windows overlapped.
RunKey PreparedRun::claimed_key() const {
    RunKey claimed = key_;
    if (request_.job_id != 0 && windows_may_share_keys(request_, target_->oid())) claimed.window.reset();
    return claimed;
}

// What another run has written must not be newer than what this one reads.
void PreparedRun::check_snapshot(const RunHistory &history) const {
    if (!request_.snapshot.exists() || !history.has_written_since(claimed_key(), request_.snapshot.taken_at)) return;
    raise(sqlstate::snapshot_lost,
          "another run has written to " + target_->name() + " since the snapshot of the job group was taken",
          "Nothing was written; call again.", "Rows of the snapshot may be older than those in the target.");
}

// The server of a foreign table keeps one snapshot for the transaction of this one, and commits before it.
void PreparedRun::check_foreign_table(const RunHistory &history) const {
    if (!written_before_claim_) return;
    if (IsolationIsSerializable())
        raise(sqlstate::feature_not_supported,
              "a serializable transaction cannot load into " + target_->name() + ", which has rows on another server",
              "Use isolation level READ COMMITTED or REPEATABLE READ.",
              "If it failed to serialize, the other server would keep the rows.");
    if ((request_.mode != Mode::replace && !request_.repair) ||
        (history.count_written(key_, true) == written_before_claim_ && !history.has_written_since_begin(key_)))
        return;
    raise(sqlstate::serialization_failure,
          "could not serialize access to foreign table " + target_->name() + " due to a concurrent run",
          "Roll back and run again.",
          "An overlapping window was loaded since this transaction began, whose snapshot at the other server may be "
          "older.");
}

bool PreparedRun::open_in_turn(const Ledger &ledger) {
    resolve();
    if (target_) make_claim();
    const TimestampTz before_source = GetCurrentTimestamp();
    // What a mark says is true of every later snapshot, so this comes before that of the source.
    const bool is_known = is_of_ids() && has_settled_ids();
    if (is_known && request_.settle != Settle::off) is_settled_ = true;
    // A look now would be later than the snapshot.
    const bool reads_shared = request_.snapshot.exists();
    if (reads_shared && is_of_ids() && !is_known) is_settled_ = false;
    if (reads_shared && !is_of_ids()) is_settled_ = to_optional(request_.settled_before);
    const bool reads_tables = !written_query_->relations().empty();
    const bool settles = !reads_shared && key_.window && !is_known && (is_of_ids() || request_.settle != Settle::off);
    Opening opening;
    if (reads_tables) opening.questions.push_back(tables_question(*written_query_));
    if (settles && !is_of_ids()) opening.questions.push_back(settled_question(*key_.window, *written_query_));
    connect(opening);
    if (reads_tables) key_.source_tables = read_tables(source_->opening_answers().front());
    describe();
    bool is_stale = false;
    if (!target_) {
        find_target();
        // Do not wait for a claim with a connection: the run that has the claim may wait for a connection.
        if (max_source_connections > 0) source_.reset();
        make_claim();
        if (!source_) {
            connect(opening);
            describe();
        } else {
            // What an earlier run has written must not be newer than what this one reads.
            is_stale = ledger.has_written_since(key_, before_source);
        }
    }
    check_foreign_table(ledger);
    if (!may_begin(request_, ledger, key_, described_window())) {
        // The window of another zone has other rows.
        check_column_zone(request_, ledger, key_, column_zone_);
        claim_->release();
        return false;
    }
    check_snapshot(ledger);
    if (settles) settle(ledger, is_of_ids() ? nullptr : &source_->opening_answers().back());
    // A transaction that ended just before the source was asked is not in the old snapshot, and its rows would never be loaded.
    if (is_stale || settles) describe_again();
    check_column_zone(request_, ledger, key_, column_zone_);
    mark_left_out(request_, columns_, *target_);
    return true;
}

// Whether the marks of the job show it; with settle => off, whether they show that there is such an id.
bool PreparedRun::has_settled_ids() const {
    const IdMarks marks(request_.schema);
    const std::string &place = key_.source.place;
    return request_.settle == Settle::off ? marks.has_seen(request_.job_id, place, key_.window->end())
                                          : marks.has_settled(request_.job_id, place, key_.window->end());
}

void PreparedRun::settle(const RunHistory &history, const Answer *first) {
    SettledState state;
    if (is_of_ids()) {
        SourceIds ids = source_ids();
        state = settle_ids(ids, *key_.window, described_window(), request_.settle, request_.refuses_unsettled);
    } else {
        state = settle_window(*source_, zone_, *written_query_, *key_.window, described_window(), request_.settle,
                              request_.refuses_unsettled, first);
    }
    is_settled_ = state.is_settled;
    // Each run would say the same.
    if (!state.doubt.detail.empty() && !history.has_doubted_today(key_)) warn_of_doubt(described_window(), state.doubt);
}

} // namespace pgci
