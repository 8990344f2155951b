#include "run/row_key.hpp"

#include "server/guard.hpp"
#include "server/text_rows.hpp"

namespace pgci {

namespace {

std::vector<std::string> primary_key(const Target &target) {
    std::vector<std::string> key;
    for (const TextRow &row :
         select_rows("SELECT a.attname FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_attribute AS a ON a.attrelid "
                     "OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) ANY "
                     "((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts OPERATOR(pg_catalog.-) 1]) WHERE i.indisprimary "
                     "AND i.indrelid OPERATOR(pg_catalog.=) "
                     "$1::pg_catalog.oid",
                     {std::to_string(target.oid())}))
        key.push_back(*row[0]);
    return key;
}

} // namespace

bool has_all(const std::vector<SourceColumn> &columns, const std::vector<std::string> &names) {
    return std::all_of(names.begin(), names.end(), [&](const std::string &name) {
        return std::any_of(columns.begin(), columns.end(), [&](const SourceColumn &c) { return c.name == name; });
    });
}

std::vector<std::string> key_of(const PreparedRun &run) {
    if (run.request().key_columns) {
        for (const std::string &name : *run.request().key_columns)
            if (run.target().find_column(name) == nullptr || !has_all(run.columns(), {name}))
                raise(sqlstate::undefined_column, "key column \"" + name + "\" is not in both source and target",
                      "Pass other key_columns, or leave them out for the primary key.");
        return *run.request().key_columns;
    }
    std::vector<std::string> key = primary_key(run.target());
    // What the target computes is not compared.
    const bool is_generated = std::any_of(key.begin(), key.end(), [&](const std::string &name) {
        const TargetColumn *const column = run.target().find_column(name);
        return column != nullptr && column->is_generated;
    });
    if (is_generated || !has_all(run.columns(), key)) key.clear();
    return key;
}

} // namespace pgci
