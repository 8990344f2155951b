#include "look/explain_source.hpp"

#include "source/bound_types.hpp"
#include "source/settled_window.hpp"
#include "source/source_plan.hpp"
#include "source/window_column.hpp"
#include "target/partition_gaps.hpp"
#include "run/bound_warnings.hpp"

namespace pgci {

namespace {

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
    const std::string unsettled = unsettled_warning(run.source(), *run.window(), run.query());
    if (!unsettled.empty()) explanation.add("warning", unsettled);
}

} // namespace

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

} // namespace pgci
