#include "run/lost_columns.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"

namespace pgci {

namespace {

// Returns "column a", or "columns a, b".
std::string list_columns(const std::vector<std::string> &names) {
    return (names.size() == 1 ? "column " : "columns ") + shorten_list(names);
}

} // namespace

void check_known_columns(const CopyRequest &request, const std::vector<SourceColumn> &columns) {
    std::vector<std::string> lost;
    for (const KnownColumn &known : request.known_columns)
        if (std::none_of(columns.begin(), columns.end(), [&](const SourceColumn &c) { return c.name == known.name; }))
            lost.push_back(known.name);
    if (lost.empty()) return;
    raise(sqlstate::undefined_column, "query of job \"" + request.job + "\" no longer returns " + list_columns(lost),
          "If it was renamed, give it its old name in the query with AS. If the job can do without it, define the job "
          "again with or_replace => true.",
          "Its last run has read it. Rows would be stored without it.");
}

void check_known_window_type(const CopyRequest &request, Oid type) {
    const std::string &name = *request.window_column;
    for (const KnownColumn &known : request.known_columns) {
        const bool is_same = (known.type == TIMESTAMPTZOID) == (type == TIMESTAMPTZOID);
        if (known.name != name || !OidIsValid(known.type) || is_same) continue;
        const auto text = [](Oid of) { return std::string(of == TIMESTAMPTZOID ? "timestamptz" : "local time"); };
        raise(
            sqlstate::datatype_mismatch,
            "window_column \"" + shorten(name) + "\" of job \"" + request.job + "\" was " + text(known.type) +
                ", and is " + text(type) + " now",
            "Define the job again with or_replace => true. Then call copy_incremental_forget() for the windows around "
            "the change, and load them again; in mode append, delete their rows first.",
            "Its type has changed at the source. Between the windows of both types, rows may be loaded twice or "
            "never.");
    }
}

std::vector<KnownColumn> known_columns_of(const std::vector<SourceColumn> &columns) {
    std::vector<KnownColumn> known;
    if (columns.size() > MaxHeapAttributeNumber) return known;
    for (const SourceColumn &column : columns) {
        if (column.is_left_out) continue;
        const bool is_numbered = column.type < first_unstable_oid;
        known.push_back({.name = column.name,
                         .type = is_numbered ? column.type : InvalidOid,
                         .typmod = is_numbered ? column.typmod : -1});
    }
    return known;
}

void warn_of_left_null(const CopyRequest &request, const Target &target, const LoadPlan &plan) {
    if (request.mode != Mode::replace && request.mode != Mode::upsert) return;
    const std::vector<std::string> left = find_left_null(target, plan.columns);
    if (left.empty()) return;
    const std::string columns = list_columns(left);
    pg_call([&] {
        ereport(WARNING, (errcode(ERRCODE_WARNING),
                          errmsg("%s of %s %s not among the source columns", columns.c_str(), target.name().c_str(),
                                 left.size() == 1 ? "is" : "are"),
                          request.mode == Mode::replace ? errdetail("All rows of the slice have NULL there.")
                                                        : errdetail("New rows have NULL there."),
                          errhint("Add the column to the query, or give it a default in the target.")));
    });
}

} // namespace pgci
