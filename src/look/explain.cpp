#include "look/explain.hpp"

#include <algorithm>

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "server/sql_text.hpp"
#include "server/subtransaction.hpp"
#include "source/bound_types.hpp"
#include "source/settled_window.hpp"
#include "source/source_plan.hpp"
#include "source/window_column.hpp"
#include "ledger/backlog.hpp"
#include "ledger/coverage.hpp"
#include "ledger/id_marks.hpp"
#include "ledger/rejected_rows.hpp"
#include "ledger/ledger.hpp"
#include "target/load_plan.hpp"
#include "target/missing_privileges.hpp"
#include "target/owned_sequences.hpp"
#include "target/partition_gaps.hpp"
#include "rows/copy_writer.hpp"
#include "rows/source_cursor.hpp"
#include "run/bound_warnings.hpp"
#include "run/design_target.hpp"
#include "run/follow_source.hpp"
#include "run/prepared_run.hpp"
#include "run/sequence_sync.hpp"
#include "look/upsert_warnings.hpp"

namespace pgci {

namespace {

class Explanation {
  public:
    void add(const std::string &item, const std::string &value) {
        rows_.push_back({std::optional(item), std::optional(value)});
    }
    // The run ends at its first error.
    void add_error(const RunFailure &failure) {
        if (std::exchange(has_error_, true)) return;
        add("error",
            failure.sqlstate() + ": " + failure.message + (failure.detail.empty() ? "" : "\n" + failure.detail));
    }
    std::vector<TextRow> take() { return std::move(rows_); }

  private:
    std::vector<TextRow> rows_;
    bool has_error_ = false;
};

std::string version_text(int number) { return std::to_string(number / 10000) + "." + std::to_string(number % 10000); }

std::string interval_text(const Interval &interval) {
    return pg_call([&] { return DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(&interval))); });
}

// In ISO 8601, whatever DateStyle is.
std::string moment_text(TimestampTz moment) {
    return pg_call([=] { return timestamptz_to_str(moment); });
}

std::string spans_text(WindowKind kind, const std::vector<Span> &spans) {
    const auto bound = [=](std::int64_t value) {
        return kind == WindowKind::ids ? std::to_string(value) : moment_text(value);
    };
    std::string text;
    for (const Span &span : spans)
        text += (text.empty() ? "[" : ", [") + bound(span.start) + ", " + bound(span.end) + ")";
    return text.empty() ? "nothing" : text;
}

void explain_job_of_ids(Explanation &explanation, const Job &job, Oid schema) {
    const std::vector<Span> covered = Coverage(schema, WindowKind::ids).find(job.id);
    const std::vector<Span> tried = find_tried_windows(schema, job);
    const std::vector<IdMark> marks = IdMarks(schema).find(job.id);
    const auto settled =
        std::find_if(marks.rbegin(), marks.rend(), [](const IdMark &mark) { return mark.is_settled(); });
    std::int64_t missing = 0;
    for (const Span &gap : uncovered(seen_ids(job, tried, marks), tried)) missing += gap.end - gap.start;
    explanation.add("window size", std::to_string(*job.window_size_rows) + " ids");
    explanation.add("first id", job.first_id ? std::to_string(*job.first_id) : "the lowest");
    explanation.add("lag", interval_text(job.lag));
    explanation.add("covered", spans_text(WindowKind::ids, covered));
    explanation.add("settled id", settled == marks.rend() ? "none was seen" : std::to_string(settled->highest));
    explanation.add("highest id", marks.empty() ? "none was seen" : std::to_string(marks.back().highest));
    explanation.add("missing ids", std::to_string(missing));
}

void explain_job_of_time(Explanation &explanation, const Job &job, Oid schema) {
    const std::vector<Span> covered = Coverage(schema, WindowKind::time).find(job.id);
    const Backlog backlog = find_backlog(job, find_tried_windows(schema, job));
    explanation.add("window size", interval_text(*job.window_size));
    explanation.add("first day", Window::of_day(job.first_day, job.zone()).name());
    explanation.add("time zone", job.zone().name());
    explanation.add("lag", interval_text(job.lag));
    explanation.add("covered", spans_text(WindowKind::time, covered));
    explanation.add("due to", moment_text(backlog.due_to));
    explanation.add("missing windows", std::to_string(backlog.missing_windows));
}

void explain_job(Explanation &explanation, const Job &job, Oid schema) {
    explanation.add("job", job.name);
    explanation.add("owner", pg_call([owner = job.owner]() -> const char * {
                        return OidIsValid(owner) ? GetUserNameFromId(owner, true) : "was dropped";
                    }));
    if (job.request.job_group) {
        std::vector<std::string> others;
        for (const Job &other : Jobs(schema).find_others_of_group(job)) others.push_back(other.name);
        explanation.add("job group",
                        *job.request.job_group + (others.empty() ? ", alone" : ", with " + shorten_list(others)));
    }
    if (!job.has_windows()) {
        explanation.add("window size", "none: a run loads the whole result of the query");
        return;
    }
    (job.kind() == WindowKind::ids ? explain_job_of_ids : explain_job_of_time)(explanation, job, schema);
    if (const std::string rejects = describe_windows_with_rejects(schema, job, {no_start, no_end}); !rejects.empty())
        explanation.add("rejects", rejects);
}

// The options that are not shown by themselves.
std::string other_options(RequestOptions options) {
    options.target = InvalidOid;
    options.time_zone.reset();
    options.job_group.reset();
    return options_text(options);
}

void explain_request(Explanation &explanation, PreparedRun &run) {
    explanation.add("source",
                    run.key().source.name + ", PostgreSQL " + version_text(run.source().connection().server_version()));
    if (const std::string options = other_options(static_cast<const RequestOptions &>(run.request())); !options.empty())
        explanation.add("options", options);
    explanation.add("window", run.window() ? "[" + run.window()->text().start + ", " + run.window()->text().end + ")"
                                           : "the whole result");
    explanation.add("query", run.query().text());
    int number = 0;
    for (const std::string &parameter : run.query().parameters())
        explanation.add("query $" + std::to_string(++number), parameter);
}

// What a run would create, or why it would fail, if the target does not exist.
void explain_new_target(Explanation &explanation, const CopyRequest &request, const NewTable &table) {
    explanation.add("target", table.name());
    const std::string exists = "table " + table.name() + " does not exist";
    explanation.add("create target", table.script());
    if (const std::string differences = describe_differences(table); !differences.empty())
        explanation.add("warning", differences);
    if (!request.create_target)
        explanation.add("error", "42P01: " + exists);
    else if (const std::string grant = missing_grant(table); !grant.empty())
        explanation.add("missing privilege", grant);
}

// Runs a step of the run in a subtransaction that is undone, so that its locks do not stay. Its error is the run's.
template <class Body> void explain_step(Explanation &explanation, Body &&body) {
    const std::optional<RunFailure> failure = in_subtransaction(body, any_error, BodyWork::is_undone);
    if (failure) explanation.add_error(*failure);
}

std::optional<LoadPlan> explain_plan(Explanation &explanation, PreparedRun &run) {
    std::optional<LoadPlan> plan;
    explain_step(explanation, [&] { plan = run.plan(); });
    return plan;
}

// What is different if an extension executes the INSERT.
void explain_other_planner(Explanation &explanation, const CopyRequest &request, const LoadPlan &plan) {
    if (!plan.is_of_other_planner) return;
    explanation.add("batch", std::to_string(batch_of(request, plan)) + " rows, and at most max_batch_bytes");
    explanation.add(
        "note", "an extension, such as Citus, executes the INSERT, so the number of rows written is what it reports" +
                    std::string(request.mode == Mode::skip || request.mode == Mode::upsert
                                    ? ", which may include rows that were left unchanged"
                                    : ""));
    if (request.transform)
        explanation.add(
            "note", "a transform that joins a table of other servers is executed there, with the time zone of those "
                    "servers; write column AT TIME ZONE 'zone' where it makes a date or a text of a time");
    if (request.on_error == OnError::reject)
        explanation.add("note",
                        "rejected rows are found by writing parts of a batch again, which takes a subtransaction "
                        "on each server for each part");
}

void explain_missing(Explanation &explanation, const MissingPrivileges &missing, std::vector<std::string> &known) {
    for (const std::string &grant : missing.grants) {
        if (std::find(known.begin(), known.end(), grant) != known.end()) continue;
        known.push_back(grant);
        explanation.add("missing privilege", grant);
    }
}

void explain_privileges(Explanation &explanation, const std::string &statement, std::vector<std::string> &known) {
    MissingPrivileges missing;
    explain_step(explanation, [&] { missing = find_missing_privileges(statement); });
    explain_missing(explanation, missing, known);
}

// Which sequences the run moves.
void explain_sequences(Explanation &explanation, const PreparedRun &run, const LoadPlan &plan,
                       std::vector<std::string> &known) {
    if (!run.request().sync_sequences) return;
    MissingPrivileges missing;
    explain_step(explanation, [&] {
        const std::vector<OwnedSequence> sequences = find_owned_sequences(run.target(), plan.columns);
        if (sequences.empty()) explanation.add("sequence", "none: no column that the run fills has one");
        for (const OwnedSequence &sequence : sequences) {
            explanation.add("sequence", sequence.name + " follows column \"" + sequence.column + "\"");
            if (!sequence.has_index)
                explanation.add("warning", "sync_sequences reads all rows of " + run.target().name() +
                                               ", because no index begins with column \"" + sequence.column + "\"");
        }
        missing = find_missing_for_sequences(run.request(), run.target(), plan.columns);
    });
    explain_missing(explanation, missing, known);
}

// How the run asks the source for the rows.
struct SourceStatement {
    std::string sent;
    RemoteConnection::Statement planned;
};

SourceStatement explain_copy(Explanation &explanation, PreparedRun &run, const LoadPlan &plan) {
    const CopyPlan copy = plan_copy(plan.map, run.target(), plan.statements.insert);
    check_copy_target(run.target(), plan, copy);
    std::string columns;
    for (const CopyColumn &column : copy.columns)
        columns += (columns.empty() ? "" : ", ") + quote_identifier(column.name);
    explanation.add("copy",
                    "COPY " + run.target().name() + " (" + columns + ") FROM STDIN (FORMAT " + format_name(copy) + ")");
    if (run.target().is_partitioned())
        explanation.add("warning", "method copy does not find partitions that are attached to " + run.target().name() +
                                       " while it runs");
    const std::vector<Oid> &types = run.source().parameter_types();
    return {copy_statement(run.query(), types, copy).sql, copied_query(run.query(), types, copy)};
}

// What the run does about partitions, and about columns that the target does not have, or not as wide.
void explain_changes(Explanation &explanation, PreparedRun &run) {
    explain_step(explanation, [&] {
        for (const std::string &statement : run.find_new_partitions()) explanation.add("create partition", statement);
    });
    explain_step(explanation, [&] {
        const TargetChange change = run.find_change();
        if (!change.empty()) {
            for (const std::string &statement : change.statements()) explanation.add("alter target", statement);
            check_change(change, run.target());
        } else if (const std::vector<std::string> left = left_out(run.columns()); !left.empty()) {
            explanation.add("warning", "the target does not have these columns of the source, which are ignored: " +
                                           shorten_list(left));
        }
    });
}

// What the method does with the rows. Nothing where it cannot write to this target, which is an error of the run.
std::optional<SourceStatement> explain_method(Explanation &explanation, PreparedRun &run, const LoadPlan &plan) {
    std::optional<SourceStatement> statement;
    explain_step(explanation, [&] {
        if (run.request().method == Method::copy) {
            statement = explain_copy(explanation, run, plan);
            return;
        }
        if (!plan.statements.merge.empty()) explanation.add("merge", plan.statements.merge);
        explanation.add("insert", plan.statements.insert);
        const RemoteConnection::Statement declare = declare_statement(run.query(), plan.map);
        statement = {declare.sql, declare};
    });
    return statement;
}

// A transform may store other values in the column.
void explain_partitions(Explanation &explanation, const PreparedRun &run, const SourceColumn &column) {
    if (run.request().create_partitions != CreatePartitions::none) return;
    const TargetColumn *const into = run.request().transform ? nullptr : run.target().find_column(column.name);
    if (into == nullptr || into->type != column.type) return;
    for (const std::string &warning : find_partition_warnings(run.target(), *run.window(), *into, run.column_zone()))
        explanation.add("warning", warning);
}

void explain_window_column(Explanation &explanation, PreparedRun &run) {
    const SourceColumn *const column = run.window_column();
    if (column == nullptr) return;
    if (const std::string warning = run.limit_warning(); !warning.empty()) explanation.add("warning", warning);
    if (column->type == TIMESTAMPOID && !run.request().column_time_zone)
        explanation.add("warning", "window_column \"" + column->name +
                                       "\" has no time zone, and is taken for local time of " +
                                       run.column_zone().name() + "; pass column_time_zone to say what it holds");
    for (const std::string &warning :
         find_column_warnings(run.source(), *column, run.query().only_relation().has_value()))
        explanation.add("warning", warning);
    explain_partitions(explanation, run, *column);
}

// How the query and replace_where compare columns with the window.
void explain_bounds(Explanation &explanation, PreparedRun &run) {
    for (const BoundWarning &warning : find_bound_warnings(run.request()))
        explanation.add("warning",
                        warning.message + ". " + (warning.detail.empty() ? "" : warning.detail + " ") + warning.hint);
    if (const std::string unknown = find_unknown_slice(run.request()); !unknown.empty())
        explanation.add("warning", unknown);
    if (run.window_column() != nullptr) return;
    for (const std::string &warning : bound_warnings(run.source(), run.query(), only_table(run.columns()), run.zone()))
        explanation.add("warning", warning);
}

// Where the ids come from, and what follows from it.
void explain_ids(Explanation &explanation, PreparedRun &run) {
    const SourceIds ids = run.source_ids();
    if (const std::optional<IdSequence> &sequence = ids.sequence())
        explanation.add("ids",
                        "from sequence " + sequence->name +
                            (sequence->cache == 1 ? ""
                                                  : ", whose CACHE is " + std::to_string(sequence->cache) +
                                                        ": new ids are settled when all sessions have ended that "
                                                        "may have taken ids in advance"));
    if (!ids.doubt().empty() && run.request().settle != Settle::off)
        explanation.add("warning", ids.doubt() + " So it cannot be known which ids are settled. " + doubt_of(ids).hint);
    explanation.add("note", "rows that are updated or deleted at the source after they were loaded are not seen; "
                            "copy_incremental_repair() finds them");
}

void explain_settled(Explanation &explanation, PreparedRun &run) {
    if (!run.window()) return;
    if (run.window()->is_of_ids()) return explain_ids(explanation, run);
    const std::string unsettled = unsettled_warning(run.source(), *run.window());
    if (!unsettled.empty()) explanation.add("warning", unsettled);
}

void explain_source(Explanation &explanation, PreparedRun &run, const SourceStatement &statement) {
    explanation.add("source statement", statement.sent);
    explain_step(explanation, [&] {
        const SourcePlan source_plan = plan_at_source(run.source(), statement.planned);
        explanation.add("estimated rows", source_plan.rows ? std::to_string(*source_plan.rows) : "unknown");
        explanation.add("source plan", source_plan.text);
        explain_settled(explanation, run);
        explain_bounds(explanation, run);
        explain_window_column(explanation, run);
        for (const std::string &warning : find_window_warnings(run.source(), source_plan))
            explanation.add("warning", warning);
    });
}

// The table or a column of it.
bool may_select_or_insert(const Target &target) {
    return pg_call([oid = target.oid()] {
        constexpr AclMode either = ACL_SELECT | ACL_INSERT;
        return pg_class_aclcheck(oid, GetUserId(), either) == ACLCHECK_OK ||
               pg_attribute_aclcheck_all(oid, GetUserId(), either, ACLMASK_ANY) == ACLCHECK_OK;
    });
}

// A user without privileges on the target is told of no run but those that copy_incremental_runs shows to him.
void explain_earlier_runs(Explanation &explanation, const PreparedRun &run) {
    const RunHistory history(run.request().schema);
    const LoadedRuns runs = history.find_loaded(run.key());
    if (runs.count == 0) return;
    const bool may_see =
        std::all_of(runs.owners.begin(), runs.owners.end(), [&](Oid owner) { return history.may_see_runs_of(owner); });
    if (!may_see && !may_select_or_insert(run.target())) return;
    explanation.add("earlier run", runs.description + (runs.is_loaded ? "" : ", a part of the window"));
    if (run.request().mode == Mode::append)
        explanation.add("warning", "mode append does not load a window again, unless on_rerun is 'run'");
}

} // namespace

std::vector<TextRow> explain_run(const Job &job, const CopyRequest &request) {
    PreparedRun run(request, TargetUse::look);
    const std::optional<NewTable> missing = run.open_or_design();
    run.find_source_tables();
    Explanation explanation;
    explain_job(explanation, job, request.schema);
    explain_request(explanation, run);
    if (missing) {
        explain_new_target(explanation, request, *missing);
        return explanation.take();
    }
    explanation.add("target", run.target().name());
    explain_changes(explanation, run);
    if (const std::optional<LoadPlan> plan = explain_plan(explanation, run)) {
        if (!plan->statements.remove.empty()) explanation.add("delete", plan->statements.remove);
        const std::optional<SourceStatement> statement = explain_method(explanation, run, *plan);
        explain_other_planner(explanation, request, *plan);
        std::vector<std::string> missing;
        explain_privileges(explanation, plan->statements.remove, missing);
        explain_privileges(explanation, plan->statements.insert, missing);
        explain_sequences(explanation, run, *plan, missing);
        if (statement) explain_source(explanation, run, *statement);
        explain_step(explanation, [&] {
            for (const std::string &warning : find_upsert_warnings(run)) explanation.add("warning", warning);
        });
    }
    explain_earlier_runs(explanation, run);
    return explanation.take();
}

} // namespace pgci
