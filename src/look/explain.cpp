#include "look/explain.hpp"

#include "server/guard.hpp"
#include "server/sql_text.hpp"
#include "server/subtransaction.hpp"
#include "source/settled_window.hpp"
#include "source/source_plan.hpp"
#include "ledger/ledger.hpp"
#include "target/load_plan.hpp"
#include "rows/bulk_writer.hpp"
#include "rows/copy_writer.hpp"
#include "rows/source_cursor.hpp"
#include "run/resolved_request.hpp"
#include "look/missing_rights.hpp"

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

void explain_request(Explanation &explanation, const CopyRequest &request, ResolvedRequest &resolved) {
    explanation.add("source", resolved.key().source + ", PostgreSQL " +
                                  version_text(resolved.source().connection().server_version()));
    if (const std::string options = options_text(request); !options.empty()) explanation.add("options", options);
    const std::optional<Window> &window = resolved.window();
    explanation.add("window",
                    window ? "[" + window->text().start + ", " + window->text().end + ")" : "the whole result");
    explanation.add("query", resolved.query().text());
    int number = 0;
    for (const std::string &parameter : resolved.query().parameters())
        explanation.add("query $" + std::to_string(++number), parameter);
    explanation.add("target", resolved.target().name());
    explanation.add("target found by",
                    OidIsValid(request.target) ? "argument target" : "the table that the query reads");
}

// Errors of a plan that the run would raise at this point, in a subtransaction whose locks do not stay.
std::optional<LoadPlan> explain_plan(Explanation &explanation, const CopyRequest &request, ResolvedRequest &resolved) {
    std::optional<LoadPlan> plan;
    const std::optional<RunFailure> failure = in_subtransaction([&] {
        check_not_itself(resolved.source(), resolved.columns(), resolved.target());
        plan = make_plan(request, resolved.columns(), resolved.target(), resolved.slice());
    });
    if (failure) explanation.add_error(*failure);
    return plan;
}

void explain_rights(Explanation &explanation, const std::string &statement, std::vector<std::string> &known) {
    if (statement.empty()) return;
    std::vector<std::string> missing;
    const std::optional<RunFailure> failure =
        in_subtransaction([&] { missing = find_missing_rights(statement); }, any_error, BodyWork::is_undone);
    if (failure) explanation.add_error(*failure);
    for (const std::string &right : missing) {
        if (std::find(known.begin(), known.end(), right) != known.end()) continue;
        known.push_back(right);
        explanation.add("missing right", right);
    }
}

// How the run asks the source for the rows.
struct SourceStatement {
    std::string sent;
    RemoteConnection::Statement planned;
};

SourceStatement explain_copy(Explanation &explanation, ResolvedRequest &resolved, const LoadPlan &plan) {
    const CopyPlan copy = plan_copy(plan.map, resolved.target(), plan.statements.insert);
    check_copy_target(resolved.target(), plan, copy);
    std::string columns;
    for (const CopyColumn &column : copy.columns)
        columns += (columns.empty() ? "" : ", ") + quote_identifier(column.name);
    explanation.add("copy", "COPY " + resolved.target().name() + " (" + columns + ") FROM STDIN (FORMAT " +
                                format_name(copy) + ")");
    const std::vector<Oid> &types = resolved.source().parameter_types();
    return {copy_statement(resolved.query(), types, copy).sql, copied_query(resolved.query(), types, copy)};
}

// What the method does with the rows. Nothing where it cannot write to this target, which is an error of the run.
std::optional<SourceStatement> explain_method(Explanation &explanation, const CopyRequest &request,
                                              ResolvedRequest &resolved, const LoadPlan &plan) {
    std::optional<SourceStatement> statement;
    const std::optional<RunFailure> failure = in_subtransaction([&] {
        if (request.method == Method::copy) {
            statement = explain_copy(explanation, resolved, plan);
            return;
        }
        if (request.method == Method::bulk) check_bulk(resolved.target(), plan);
        explanation.add("insert", request.method == Method::bulk ? plan.insert : plan.statements.insert);
        const RemoteConnection::Statement declare = declare_statement(resolved.query(), plan.map);
        statement = {declare.sql, declare};
    });
    if (failure) explanation.add_error(*failure);
    return statement;
}

void explain_source(Explanation &explanation, ResolvedRequest &resolved, const SourceStatement &statement) {
    explanation.add("source statement", statement.sent);
    const std::optional<RunFailure> failure = in_subtransaction([&] {
        const SourcePlan source_plan = plan_at_source(resolved.source(), statement.planned);
        explanation.add("estimated rows", source_plan.rows);
        explanation.add("source plan", source_plan.text);
        if (!resolved.window()) return;
        const std::string unsettled = unsettled_warning(resolved.source(), *resolved.window());
        if (!unsettled.empty()) explanation.add("warning", unsettled);
        for (const std::string &warning : find_window_warnings(resolved.source(), source_plan))
            explanation.add("warning", warning);
    });
    if (failure) explanation.add_error(*failure);
}

void explain_earlier_run(Explanation &explanation, const CopyRequest &request, const ResolvedRequest &resolved) {
    const std::optional<EarlierRun> earlier = Ledger(request.schema).find_earlier(resolved.key());
    if (!earlier) return;
    explanation.add("earlier run", earlier->description + (earlier->is_partial ? ", a part of the window" : ""));
    if (request.mode == Mode::append)
        explanation.add("warning", "mode append does not load a window again, unless on_rerun is 'run'");
}

} // namespace

std::vector<TextRow> explain_run(const CopyRequest &request) {
    ResolvedRequest resolved(request, TargetUse::look);
    Explanation explanation;
    explain_request(explanation, request, resolved);
    if (const std::optional<LoadPlan> plan = explain_plan(explanation, request, resolved)) {
        if (!plan->statements.remove.empty()) explanation.add("delete", plan->statements.remove);
        const std::optional<SourceStatement> statement = explain_method(explanation, request, resolved, *plan);
        std::vector<std::string> missing;
        explain_rights(explanation, plan->statements.remove, missing);
        explain_rights(explanation, plan->statements.insert, missing);
        if (statement) explain_source(explanation, resolved, *statement);
    }
    explain_earlier_run(explanation, request, resolved);
    return explanation.take();
}

} // namespace pgci
