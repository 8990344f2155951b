// A request with everything resolved: window, query, source, target, columns, plan. One procedure for all that load, explain,
// describe or verify.
#pragma once

#include "request/copy_request.hpp"
#include "source/source_ids.hpp"
#include "source/source_session.hpp"
#include "ledger/claim.hpp"
#include "ledger/ledger.hpp"
#include "target/load_plan.hpp"
#include "target/target_change.hpp"
#include "target/target.hpp"
#include "proof/window_comparison.hpp"

namespace pgci {

// Returns the request without what is done with the rows.
CopyRequest looking_request(const CopyRequest &request);

class PreparedRun {
  public:
    // Resolves the time zone and the window. The request must live as long as this object. Connects through the keeper, or,
    // without one, for no longer than `memory` lasts. Raises 22008, 22023 for what is no window.
    PreparedRun(const CopyRequest &request, TargetUse use, MemoryContext memory = CurTransactionContext,
                ConnectionKeeper *keeper = nullptr);
    PreparedRun(const PreparedRun &) = delete;
    PreparedRun &operator=(const PreparedRun &) = delete;

    // Checks the request, connects, has the query described and finds the target. Raises what a run raises before its first row.
    void open();
    // As open() does, but returns the table that a run would have to create if the target does not exist.
    std::optional<NewTable> open_or_design();
    // Asks the source which tables the query reads, for the ledger. open_in_turn() does.
    void find_source_tables();
    // Connects and returns the type of a column of the query; nothing if there is no such column.
    std::optional<Oid> find_column_type(const std::string &name);
    // Connects and has the query described, and does not look for the target.
    void look_at_source();
    // As open() does, for a run that loads. It waits until no run of an overlapping window into the target is active, does what the
    // option `settle` says if the source may still commit rows of the window, and then takes the snapshot of the source. Returns
    // false if `on_rerun` says that there is nothing to do. If the request has a snapshot, that is read, and the caller has looked
    // whether the window was settled; raises PI004 if the source has lost it, or another run has written a newer one's rows.
    bool open_in_turn(const Ledger &ledger);
    // Whether the window was settled before the snapshot, false also if that is not known; nothing if the run did not look.
    std::optional<bool> is_settled() const { return is_settled_; }
    // Gives the connection to the keeper, for the next run. To be called after the end of the run's transaction at the source.
    void give_back_source() { source_->give_back(keeper_, *options_); }
    // To be called when the run has written its last row, in its last transaction: others may follow when that ends.
    void release_claim() const { claim_->release(); }
    // Returns the change of the target that the run makes; empty unless on_new_column is add.
    TargetChange find_change();
    // Returns the statements that create partitions for the window; none unless create_partitions says so.
    std::vector<std::string> find_new_partitions() const;
    // Makes that change and these partitions, before the run is planned and writes. Waits for other runs that change the target.
    void adapt_target();
    // The statements that have created or changed the target; empty for none.
    const std::string &ddl() const { return ddl_; }
    // Maps the columns and builds the statements. Raises 42809 for a copy of a table onto itself, and what make_plan raises.
    LoadPlan plan() const;
    // The same for the rows that a repair writes: it updates rows by this key, or, without one, only inserts.
    LoadPlan plan_of_repair(const std::vector<std::string> &key) const;
    // The privileges on the target that suffice for the run.
    AclMode needed_on_target() const;
    // Of the window's rows on both servers, which `key` tells apart. Raises what make_comparison raises; no row is read.
    Comparison comparison(const std::vector<std::string> &key);
    // At the begin of a later transaction, before it writes: locks the target and plans again. Raises 42P01 for a target that was
    // dropped or replaced, and 55000 if the batches would have to be different.
    void plan_again(LoadPlan &plan);

    const CopyRequest &request() const { return request_; }
    const TimeZone &zone() const { return zone_; }
    const std::optional<Window> &window() const { return key_.window; }
    // The name of the window in messages.
    const char *window_name() const { return key_.window ? key_.window->name().c_str() : "the whole result"; }
    // The same with the target and the job: "window 2018-07-29 of public.users".
    std::string described_window() const;
    // The window as texts; null for a whole result.
    const WindowText *window_text() const { return key_.window ? &key_.window->text() : nullptr; }
    const SourceQuery &query() const { return *query_; }
    // The condition of the window's rows in the target, by replace_where or window_column; empty for neither. Raises 42703, 42804
    // where the target has no column of that name with a day.
    std::string slice() const;
    // A SELECT of the rows and columns of the target that the option `verify` compares, as far as slice() tells.
    std::string verified_rows(const LoadPlan &plan) const;
    // The column that window_column names; null without that option.
    const SourceColumn *window_column() const;
    // What is wrong with a LIMIT or OFFSET of the query; empty for none that is.
    std::string limit_warning() const;
    // The time zone of the local times in that column.
    const TimeZone &column_zone() const { return column_zone_; }
    // The ids at the source, of the column that window_column names. To be called after the source was looked at.
    SourceIds source_ids();
    // What the ledger calls the run.
    const RunKey &key() const { return key_; }
    SourceSession &source() { return *source_; }
    TimestampTz snapshot_at() const { return source_->snapshot_at(); }
    const std::vector<SourceColumn> &columns() const { return columns_; }
    const Target &target() const { return *target_; }
    // The target's name in messages; null until it is found.
    const char *target_name() const { return target_ ? target_->name().c_str() : nullptr; }

  private:
    void resolve();
    void connect(Opening opening = {});
    void find_target();
    std::optional<NewTable> find_or_design_target();
    void make_claim();
    RunKey claimed_key() const;
    void check_snapshot(const RunHistory &history) const;
    void check_foreign_table(const RunHistory &history) const;
    void settle(const RunHistory &history, const Answer *first);
    bool is_of_ids() const { return key_.window && key_.window->is_of_ids(); }
    bool has_settled_ids() const;
    void describe();
    void describe_again();
    void bind();
    void note_ddl(const std::vector<std::string> &statements);
    std::string slice_of_mode() const;
    std::vector<SourceColumn> compared_columns() const;
    LoadPlan plan_of(const CopyRequest &request) const;
    void add_deciding_column(CopyRequest &request, const std::vector<std::string> &key) const;

    const CopyRequest &request_;
    TargetUse use_;
    ConnectionKeeper own_keeper_;
    ConnectionKeeper &keeper_;
    TimeZone zone_;
    TimeZone column_zone_;
    RunKey key_;
    std::optional<SourceQuery> written_query_{}; // without the condition on window_column
    std::optional<SourceQuery> query_{};
    std::string replace_where_{}; // with the window put in
    std::optional<ConnectionOptions> options_{};
    std::optional<Claim> claim_{};
    std::optional<std::int64_t> written_before_claim_{}; // of a foreign table: runs of the window that the ledger had
    std::optional<bool> is_settled_{};
    std::optional<SourceSession> source_{};
    std::vector<SourceColumn> columns_{};
    std::optional<Target> target_{};
    std::string ddl_{};
};

} // namespace pgci
