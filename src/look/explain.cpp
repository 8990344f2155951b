#include "look/explain.hpp"

#include <algorithm>

#include "server/guard.hpp"
#include "server/named_relation.hpp"
#include "server/shown_text.hpp"
#include "server/sql_text.hpp"
#include "ledger/ledger.hpp"
#include "target/load_plan.hpp"
#include "target/missing_privileges.hpp"
#include "target/owned_sequences.hpp"
#include "rows/copy_writer.hpp"
#include "rows/source_cursor.hpp"
#include "run/design_target.hpp"
#include "run/follow_source.hpp"
#include "run/prepared_run.hpp"
#include "run/sequence_sync.hpp"
#include "run/transform_warning.hpp"
#include "look/explain_job.hpp"
#include "look/explain_source.hpp"
#include "look/upsert_warnings.hpp"

namespace pgci {

namespace {

std::string version_text(int number) { return std::to_string(number / 10000) + "." + std::to_string(number % 10000); }

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

bool may_select_or_insert(const Target &target) {
    return pg_call([oid = target.oid()] { return has_any_privilege(oid, ACL_SELECT | ACL_INSERT); });
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
        explain_step(explanation, [&] {
            if (run.request().verify) explain_privileges(explanation, run.verified_rows(*plan), missing);
        });
        explain_sequences(explanation, run, *plan, missing);
        if (statement) explain_source(explanation, run, *statement);
        explain_step(explanation, [&] {
            const std::string warning = find_transform_warning(run, *plan);
            if (!warning.empty()) explanation.add("warning", warning);
        });
        explain_step(explanation, [&] {
            for (const std::string &warning : find_upsert_warnings(run)) explanation.add("warning", warning);
        });
    }
    explain_earlier_runs(explanation, run);
    return explanation.take();
}

} // namespace pgci
