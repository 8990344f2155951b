#include "source/window_column.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "source/bound_types.hpp"
#include "source/source_names.hpp"
#include "source/table_column.hpp"

namespace pgci {

namespace {

std::string list_names(const std::vector<SourceColumn> &columns) {
    std::vector<std::string> names;
    names.reserve(columns.size());
    for (const SourceColumn &column : columns) names.push_back(column.name);
    return shorten_list(names);
}

std::string shown(const std::string &name) { return "window_column \"" + shorten(name) + "\""; }

} // namespace

const SourceColumn &find_window_column(SourceSession &source, const std::vector<SourceColumn> &columns,
                                       const std::string &name, const Window &window) {
    const auto is_named = [&](const SourceColumn &column) { return column.name == name; };
    const auto found = std::find_if(columns.begin(), columns.end(), is_named);
    if (found == columns.end())
        raise(sqlstate::undefined_column, shown(name) + " does not exist in the result of the query",
              "Add the column to the query, or pass another one.", "The query returns " + list_names(columns) + ".");
    if (std::count_if(columns.begin(), columns.end(), is_named) > 1)
        raise(sqlstate::duplicate_column, "query returns the column \"" + shorten(name) + "\" more than once",
              "Columns map by name; give each one a name of its own with AS.");
    if (fits_column(window, found->type)) return *found;
    const std::string type = sanitize(type_names(source.connection(), {*found})[0].c_str(), 100);
    if (window.is_of_ids())
        raise(sqlstate::datatype_mismatch,
              shown(name) + " is of type " + type + ", but was smallint, integer or bigint when the job was defined",
              "Define a new job.", "The windows of the job are ranges of ids.");
    raise(sqlstate::datatype_mismatch,
          shown(name) + " is of type " + type + ", but must be timestamp with time zone, timestamp or date",
          (has_ids(found->type) ? "If it is an id, define a job, which has windows of ids. If it is a time, leave "
                                  "window_column out, and write the window in the query: "
                                : "Leave window_column out, and write the window in the query: ") +
              form_to_write(found->type, found->name) + ".");
}

std::vector<std::string> find_column_warnings(SourceSession &source, const SourceColumn &column, bool reads_one_table) {
    const std::optional<TableColumn> found = find_table_column(source, column.table, column.number);
    if (!found) return {};
    return column_warnings(*found, shown(column.name), reads_one_table);
}

} // namespace pgci
