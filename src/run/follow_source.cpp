#include "run/follow_source.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "source/described_table.hpp"
#include "target/column_map.hpp"
#include "target/conversion.hpp"
#include "target/precision.hpp"

namespace pgci {

namespace {

bool adds(const CopyRequest &request) { return request.on_new_column == OnNewColumn::add && !request.transform; }

const KnownColumn *find_known(const CopyRequest &request, const std::string &name) {
    const auto found = std::find_if(request.known_columns.begin(), request.known_columns.end(),
                                    [&](const KnownColumn &known) { return known.name == name; });
    return found == request.known_columns.end() ? nullptr : &*found;
}

bool has_changed(const CopyRequest &request, const SourceColumn &column) {
    const KnownColumn *const known = find_known(request, column.name);
    return known != nullptr && OidIsValid(known->type) && column.type < first_unstable_oid &&
           (known->type != column.type || known->typmod != column.typmod);
}

// Whether an assignment may refuse or change a value of the source's column.
bool may_lose(const SourceColumn &from, const TargetColumn &into) {
    return !widens(from.type, from.typmod, into.type, into.typmod) &&
           (widens(into.type, into.typmod, from.type, from.typmod) || !find_lost_precision(from, into).empty() ||
            !find_conversion(from.type, into).exists);
}

std::string table_of(const CopyRequest &request, const Target &target) {
    return "table " + target.name() +
           (request.job.empty() ? "" : ", the target of job \"" + shorten(request.job) + "\",");
}

} // namespace

TargetChange find_change(const CopyRequest &request, SourceSession &source, const SourceQuery &query,
                         const std::vector<SourceColumn> &columns, const Target &target) {
    TargetChange change{.table = target.name()};
    if (!adds(request)) return change;
    std::vector<SourceColumn> missing;
    for (const SourceColumn &column : columns) {
        const TargetColumn *const into = target.find_column(column.name);
        if (into == nullptr)
            missing.push_back(column);
        else if (!into->is_generated && can_be_widened(column, *into))
            change_type(change, column, *into);
    }
    if (missing.empty()) return change;
    for (const DescribedColumn &column : describe_table(source, missing, query.reads_one_relation()).columns)
        add_column(change, make_column(column));
    return change;
}

void change_target(const CopyRequest &request, const TargetChange &change, const Target &target) {
    check_change(change, target);
    execute_change(change.statements());
    const std::string table = table_of(request, target);
    const std::string columns = shorten_list(change.described);
    pg_call([&] {
        ereport(NOTICE, (errmsg("%s was changed as its source has changed", table.c_str()),
                         errdetail("Columns: %s.", columns.c_str())));
    });
}

void mark_left_out(const CopyRequest &request, std::vector<SourceColumn> &columns, const Target &target) {
    if (request.on_new_column == OnNewColumn::error || request.transform) return;
    std::vector<std::string> lost;
    for (SourceColumn &column : columns) {
        column.is_left_out = target.find_column(column.name) == nullptr;
        if (column.is_left_out && !request.binds_target && find_known(request, column.name) != nullptr)
            lost.push_back(column.name);
    }
    if (lost.empty()) return;
    raise(sqlstate::undefined_column,
          table_of(request, target) + " no longer has " + (lost.size() == 1 ? "column " : "columns ") +
              shorten_list(lost),
          "If it was renamed, give it the new name in the query with AS. If the target can do without it, define the "
          "job again with or_replace => true.",
          "The last run of the job has written it. Rows would be stored without it.");
}

std::vector<std::string> left_out(const std::vector<SourceColumn> &columns) {
    std::vector<std::string> names;
    for (const SourceColumn &column : columns)
        if (column.is_left_out) names.push_back(column.name);
    return names;
}

void check_known_types(const CopyRequest &request, const std::vector<SourceColumn> &columns, const Target &target) {
    if (request.transform) return;
    TargetChange change{.table = target.name()};
    bool can_widen = true;
    for (const SourceColumn &column : columns) {
        const TargetColumn *const into = target.find_column(column.name);
        if (into == nullptr || into->is_generated || !has_changed(request, column) || !may_lose(column, *into))
            continue;
        const bool is_wider = can_be_widened(column, *into);
        if (is_wider && adds(request)) continue;
        can_widen = can_widen && is_wider;
        change_type(change, column, *into);
    }
    if (change.empty()) return;
    raise(sqlstate::datatype_mismatch,
          "query of job \"" + request.job + "\" returns other types than before, which target " + target.name() +
              " cannot store without loss",
          (can_widen ? "Define the job again with on_new_column => 'add', or run:\n"
                     : "Run the following, or define the job again to accept the loss:\n") +
              shown_script(script_of(change.statements())),
          "Columns of the target and what they would have to be: " + shorten_list(change.described) + ".");
}

} // namespace pgci
