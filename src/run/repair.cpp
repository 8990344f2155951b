#include "run/repair.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "proof/comparison_settings.hpp"
#include "proof/different_keys.hpp"
#include "run/extra_rows.hpp"

namespace pgci {

namespace {

// Hashes of keys whose rows differ. If there are more than can be listed in a statement, the buckets select the rows.
class DifferentKeys {
  public:
    void add(std::int64_t key_hash, std::int64_t rows) {
        rows_ += rows;
        if (hashes_.size() <= most_listed) hashes_.push_back(key_hash);
    }
    bool is_empty() const { return hashes_.empty(); }
    bool are_too_many() const { return hashes_.size() > most_listed; }
    // The number of rows that the condition selects.
    std::int64_t rows(std::int64_t of_buckets) const { return are_too_many() ? of_buckets : rows_; }
    std::string condition(const Comparison &comparison, Side side, const DifferentBuckets &different) const {
        return are_too_many() ? comparison.is_in_bucket(side, different.buckets)
                              : comparison.has_key_hash(side, hashes_);
    }

  private:
    static constexpr std::size_t most_listed = 100000;

    std::vector<std::int64_t> hashes_{};
    std::int64_t rows_ = 0;
};

class Repair {
  public:
    Repair(LoadRun &run, const std::vector<std::string> &key);
    void compare();
    void write();
    std::int64_t updated() const { return std::min(changed_, run_.statistics.rows_written); }

  private:
    bool deletes() const { return *run_.request().repair == Deletes::apply; }
    void add_by_key(std::int64_t key_hash, const KeyGroup &keys);
    void add_whole_rows(std::int64_t key_hash, const KeyGroup &keys);
    std::int64_t remove();
    Removal remove_whole_rows();

    LoadRun &run_;
    const std::vector<std::string> &key_;
    std::string slice_;
    Comparison comparison_;
    DifferentBuckets different_{};
    DifferentKeys written_{};          // of the source
    std::int64_t changed_ = 0;         // rows of the target that are updated
    std::optional<ExtraKeys> extra_{}; // with a key
    DifferentKeys removed_{};          // without a key, of the target
};

Repair::Repair(LoadRun &run, const std::vector<std::string> &key)
    : run_(run), key_(key), slice_(run.prepared.slice()), comparison_(run.prepared.comparison(key)) {
    if (!key.empty()) {
        if (deletes()) extra_.emplace(run.target(), key_, slice_);
        return;
    }
    if (slice_.empty())
        raise(sqlstate::feature_not_supported, "target " + run.target().name() + " has no key to repair its rows by",
              "Add a primary key whose columns the query returns; or pass window_column or replace_where, so that the "
              "rows can be compared as a whole.");
    check_may_delete(run.target(), slice_);
}

// Both sides are read in one snapshot. That of this server must be newer than the claim, so that it has the rows of every
// earlier run; the calling statement may have begun before.
void Repair::compare() {
    pg_call([] { PushActiveSnapshot(GetTransactionSnapshot()); });
    different_ = find_different_buckets(comparison_);
    find_different_keys(comparison_, different_, [this](std::int64_t key_hash, const KeyGroup &keys) {
        key_.empty() ? add_whole_rows(key_hash, keys) : add_by_key(key_hash, keys);
    });
    pg_call([] { PopActiveSnapshot(); });
    run_.statistics.source_rows = different_.source_rows_of_window;
}

// A key that the target has more than once, in a view, is deleted and written again.
void Repair::add_by_key(std::int64_t key_hash, const KeyGroup &keys) {
    std::int64_t at_source = 0;
    bool is_written = false;
    for (const auto &[key, rows] : keys) {
        at_source += rows.at_source;
        if (!rows.differ()) continue;
        if (rows.at_source > 1)
            raise(SqlState("21000"),
                  "source has more than one row of a key of " + run_.target().name() + ", so it cannot be repaired",
                  "Make the query return one row of each key, or pass other key_columns.",
                  "The key is " + sanitize(key.c_str(), 200) + ".");
        const bool is_unclear = rows.at_target > 1;
        if (extra_ && (rows.at_source == 0 || is_unclear)) extra_->add(key);
        if (rows.at_source == 0) continue;
        is_written = true;
        if (rows.at_target > 0 && !is_unclear) ++changed_;
    }
    if (is_written) written_.add(key_hash, at_source);
}

// If the source has more equal rows, those of the target are deleted, and all are written.
void Repair::add_whole_rows(std::int64_t key_hash, const KeyGroup &keys) {
    KeyRows sum;
    for (const auto &[key, rows] : keys) {
        sum.at_source += rows.at_source;
        sum.at_target += rows.at_target;
        sum.only_at_source += rows.only_at_source;
    }
    if (sum.only_at_source == 0 && !deletes()) return;
    if (sum.at_source > 0) written_.add(key_hash, sum.at_source);
    if (sum.at_target > 0) removed_.add(key_hash, sum.at_target);
    if ((written_.are_too_many() || removed_.are_too_many()) && !deletes())
        raise(SqlState("54000"), "too many rows of " + run_.target().name() + " differ",
              "Use deletes => 'apply', or load the window again with mode replace.",
              "Without a key, deletes => 'ignore' can write 100000 different rows.");
}

Removal Repair::remove_whole_rows() {
    const int settings = pg_call([zone = run_.prepared.zone().name()] { return begin_text_settings(zone); });
    const Removal removal =
        remove_in_slice(run_.target(), slice_, removed_.condition(comparison_, Side::target, different_),
                        removed_.rows(different_.at_target));
    pg_call([=] { AtEOXact_GUC(true, settings); });
    return removal;
}

// Rows that stay would differ after the repair, or would be there twice.
std::int64_t Repair::remove() {
    const bool by_key = extra_ && extra_->size() > 0;
    if (!by_key && removed_.is_empty()) return 0;
    const Removal removal = by_key ? extra_->remove() : remove_whole_rows();
    if (removal.left == 0) return removal.deleted;
    raise(sqlstate::rows_do_not_match,
          std::to_string(removal.left) + (removal.left == 1 ? " row of " : " rows of ") + run_.target().name() +
              " could not be deleted",
          "Look at its triggers and rules, and at rows with NULL in the key. With deletes => 'ignore', such rows stay.",
          "A trigger or a rule keeps them, or their key contains NULL.");
}

void Repair::write() {
    SourceSession &source = run_.prepared.source();
    StatementScope statement;
    pg_call([&, zone = run_.prepared.zone().name()] { statement.begin(zone); });
    run_.statement = &statement;
    run_.statistics.rows_deleted = remove();
    if (written_.is_empty()) {
        source.send_commit();
        source.receive_commit();
        run_.record_success();
        return;
    }
    const SourceQuery rows = run_.prepared.query().where(written_.condition(comparison_, Side::source, different_));
    run_.rows_to_write = &rows;
    run_.announced_rows = written_.rows(different_.at_source);
    load_by_cursor(run_);
}

} // namespace

CopyRequest repair_of(const CopyRequest &request, Deletes deletes) {
    if (request.transform)
        raise(sqlstate::feature_not_supported,
              "job \"" + shorten(request.job) + "\" has a transform, so it cannot be repaired",
              "Load its windows again with mode replace or upsert.",
              "The rows that the transform should have written are not known.");
    if (request.mode == Mode::skip)
        raise(sqlstate::feature_not_supported,
              "job \"" + shorten(request.job) + "\" has mode skip, so it cannot be repaired",
              "Use mode upsert or replace if the rows of the target should be those of the source.",
              "Mode skip keeps rows of the target that differ.");
    if (request.update_where)
        raise(sqlstate::feature_not_supported,
              "job \"" + shorten(request.job) + "\" has update_where, so it cannot be repaired",
              "Load its windows again, or define the job without update_where.",
              "Rows that update_where keeps differ from those of the source.");
    CopyRequest repair(request);
    repair.repair = deletes;
    repair.lookback = 0;
    repair.method = Method::cursor;
    repair.on_error = OnError::stop;
    repair.verify = request.verify && deletes == Deletes::apply;
    return repair;
}

std::int64_t load_differences(LoadRun &run, const std::vector<std::string> &key) {
    Repair repair(run, key);
    repair.compare();
    repair.write();
    return repair.updated();
}

} // namespace pgci
