#include "run/retry_rejects.hpp"

#include <algorithm>

#include "server/guard.hpp"
#include "server/memory.hpp"
#include "ledger/claim.hpp"
#include "ledger/coverage.hpp"
#include "ledger/jobs.hpp"
#include "ledger/progress.hpp"
#include "ledger/rejected_rows.hpp"
#include "ledger/run_lock.hpp"
#include "target/missing_privileges.hpp"
#include "rows/batch_reader.hpp"
#include "rows/rejecting_writer.hpp"
#include "rows/text_decoder.hpp"
#include "run/run_scope.hpp"
#include "run/sequence_sync.hpp"

namespace pgci {

namespace {

struct RetryContext {
    std::int64_t run_id = 0;
    const char *target = nullptr; // its name, when it is found
};

void show_retry_context(void *argument) {
    const auto *const context = static_cast<const RetryContext *>(argument);
    if (context->target == nullptr)
        errcontext("retrying the rejected rows of run " INT64_FORMAT, context->run_id);
    else
        errcontext("retrying the rejected rows of run " INT64_FORMAT " into %s", context->run_id, context->target);
}

std::string name_of(std::int64_t run_id) { return "run " + std::to_string(run_id); }

// Returns whether the run is of a job that exists. Raises 42501 unless the user may run it.
bool check_may_run(const Jobs &jobs, const RejectingRun &run, std::int64_t run_id) {
    if (run.key.job_id != 0 && jobs.find_if_exists(run.key.job_id)) return true;
    if (!may_run_for(run.owner))
        raise(sqlstate::insufficient_privilege, "permission denied for " + name_of(run_id),
              "Use SET ROLE to become the role that started it.", "The run belongs to another role.");
    return false;
}

// Rows of the source that were loaded since may be newer, or the same.
void check_is_last(const RunHistory &history, const RejectingRun &run, std::int64_t run_id) {
    if (run.status != "succeeded" && run.status != "partial")
        raise(sqlstate::not_in_prerequisite_state,
              "rejected rows of " + name_of(run_id) + " cannot be loaded, because the run is " + run.status,
              "Load its window again.");
    if (const std::int64_t later = history.find_later_run(run.key, run_id); later != 0)
        raise(sqlstate::not_in_prerequisite_state,
              "rejected rows of " + name_of(run_id) + " cannot be loaded, because " + name_of(later) +
                  " has loaded rows of its window since",
              "The rows that " + name_of(later) +
                  " rejected can be loaded. If its window is only a part, load the window of " + name_of(run_id) +
                  " again.");
}

class Retry {
  public:
    Retry(const RejectedRows &rejected, const LoadPlan &plan, const Target &target, const TimeZone &zone,
          std::int64_t run_id)
        : rejected_(rejected), run_id_(run_id), decoder_(plan.map, CurrentMemoryContext),
          writer_(plan.statements, target, zone, batch_, [this](std::size_t row, RunFailure failure) {
              failed_.push_back({numbers_[row], std::move(failure)});
          }) {
        for (const MappedColumn &column : plan.map.columns) columns_.push_back(column.name);
        pg_call([this] { batch_.create(decoder_.description(), CurrentMemoryContext); });
    }
    // Tries the next rows. Returns false if there are none.
    bool load_some(int most, RunStatistics &statistics);
    void finish() { writer_.finish(); }

  private:
    void decode(const std::vector<RejectedRow> &rows);
    void mark();

    const RejectedRows &rejected_;
    std::int64_t run_id_;
    std::vector<std::string> columns_{};
    TextDecoder decoder_;
    Batch batch_{};
    std::vector<std::int64_t> numbers_{}; // of the rows of the batch
    std::vector<RejectedAgain> failed_{};
    RejectingWriter writer_;
    std::int64_t last_ = 0; // number of the last row that was read
};

void Retry::decode(const std::vector<RejectedRow> &rows) {
    numbers_.clear();
    failed_.clear();
    for (const RejectedRow &row : rows) {
        if (std::optional<RunFailure> failure = decoder_.decode(row.values, batch_))
            failed_.push_back({row.number, *std::move(failure)});
        else
            numbers_.push_back(row.number);
    }
}

void Retry::mark() {
    std::vector<std::int64_t> loaded;
    for (const std::int64_t number : numbers_)
        if (std::none_of(failed_.begin(), failed_.end(),
                         [=](const RejectedAgain &row) { return row.number == number; }))
            loaded.push_back(number);
    rejected_.mark_loaded(loaded, run_id_);
    rejected_.mark_failed(failed_);
}

bool Retry::load_some(int most, RunStatistics &statistics) {
    const TemporaryMemory memory;
    const std::vector<RejectedRow> rows = rejected_.next(last_, columns_, most, max_batch_bytes);
    if (rows.empty()) return false;
    last_ = rows.back().number;
    decode(rows);
    if (batch_.count() > 0) statistics.rows_written += writer_.write();
    pg_call([this] { batch_.clear(); });
    mark();
    statistics.rows_read += static_cast<std::int64_t>(rows.size());
    ++statistics.batches;
    return true;
}

void tell_left(const std::string &target, std::int64_t run_id, std::int64_t left, std::int64_t tried,
               std::int64_t all) {
    pg_call([=, name = target.c_str()] {
        ereport(NOTICE, (errmsg_plural(INT64_FORMAT " rejected row of run " INT64_FORMAT " into %s is not loaded",
                                       INT64_FORMAT " rejected rows of run " INT64_FORMAT " into %s are not loaded",
                                       static_cast<unsigned long>(left), left, run_id, name),
                         all == tried ? 0
                                      : errdetail_plural("Not all values of " INT64_FORMAT " of them could be stored.",
                                                         "Not all values of " INT64_FORMAT " of them could be stored.",
                                                         static_cast<unsigned long>(all - tried), all - tried),
                         errhint("The view copy_incremental_rejects has their newest errors.")));
    });
}

std::int64_t retry(Oid schema, std::int64_t run_id, RetryContext &context) {
    const RejectedRows rejected(schema, run_id);
    const Ledger ledger(schema);
    const Jobs jobs(schema);
    RejectingRun run = rejected.find();
    const bool has_job = check_may_run(jobs, run, run_id);
    if (run.rejects == 0) {
        pg_call([run_id, target = run.key.target] {
            const char *const name = get_rel_name(target);
            ereport(NOTICE, (errmsg("run " INT64_FORMAT " into %s has no rejected rows to load", run_id,
                                    name != nullptr ? name : "a dropped table")));
        });
        return 0;
    }
    CopyRequest request;
    static_cast<RequestOptions &>(request) = run.ways.options;
    request.schema = schema;
    const AclMode needed = needed_on_target(request);
    const Target target = Target::open(run.key.target, TargetUse::write, needed);
    const std::string &target_name = target.name();
    context.target = target_name.c_str();
    if (has_job) lock_job(run.key.job_id, JobLock::shared);
    const Claim claim(schema, run.key, request.mode == Mode::append, false);
    run = rejected.find(); // another retry may have loaded rows
    check_is_last(ledger, run, run_id);
    const LoadPlan plan = make_plan(request, run.ways.columns, target, run.ways.slice);
    check_privileges(plan, target, needed, find_missing_for_sequences(request, target, plan.columns));
    const std::int64_t own_id = ledger.begin(run.key, "retry", word_of(Method::cursor));
    const ProgressFacts facts{
        .target = target.oid(), .job_id = run.key.job_id, .run_id = own_id, .window = run.key.window};
    const RunProgress progress(facts);
    RunStatistics statistics{.is_settled = run.is_settled};
    const TimeZone zone = TimeZone::resolve(run.ways.zone.c_str());
    Retry rows(rejected, plan, target, zone, own_id);
    while (rows.load_some(batch_of(request, plan), statistics)) progress.show(statistics);
    rows.finish();
    move_sequences(request, target, plan.columns);
    const std::int64_t left = rejected.count_again();
    ledger.record(own_id, statistics, "succeeded");
    claim.release();
    if (left > 0)
        tell_left(target_name, run_id, left, statistics.rows_read, run.rejects);
    else if (has_job && run.key.window && run.is_settled && run.status == "succeeded")
        Coverage(schema, run.key.window->kind()).add(run.key.job_id, run.key.window->span());
    return statistics.rows_written;
}

} // namespace

std::int64_t retry_rejects(Oid schema, std::int64_t run_id) {
    const RunGuard guard;
    check_may_write();
    const ClientWatch client_watch;
    RetryContext context{.run_id = run_id};
    const ErrorContext shown_context(show_retry_context, &context);
    return retry(schema, run_id, context);
}

} // namespace pgci
