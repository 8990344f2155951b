#include "source/window_column.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "source/bound_types.hpp"
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
                                       const std::string &name) {
    const auto is_named = [&](const SourceColumn &column) { return column.name == name; };
    const auto found = std::find_if(columns.begin(), columns.end(), is_named);
    if (found == columns.end())
        raise(sqlstate::undefined_column, shown(name) + " does not exist in the result of the query",
              "Add the column to the query, or pass another one.", "The query returns " + list_names(columns) + ".");
    if (std::count_if(columns.begin(), columns.end(), is_named) > 1)
        raise(sqlstate::duplicate_column, "query returns the column \"" + shorten(name) + "\" more than once",
              "Columns map by name; give each one a name of its own with AS.");
    if (!has_day(found->type))
        raise(sqlstate::datatype_mismatch,
              shown(name) + " is of type " + sanitize(source.type_names({*found})[0].c_str(), 100) +
                  ", but must be timestamp with time zone, timestamp or date",
              "Leave window_column out, and write the window in the query: " + form_to_write(found->type, found->name) +
                  ".");
    return *found;
}

std::vector<std::string> find_column_warnings(SourceSession &source, const SourceColumn &column, bool reads_one_table) {
    const std::optional<TableColumn> found = find_table_column(source, column.table, column.number);
    if (!found) return {};
    return column_warnings(*found, shown(column.name), reads_one_table);
}

} // namespace pgci
