#include "look/verify.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "target/column_map.hpp"
#include "run/prepared_run.hpp"
#include "look/differences.hpp"

namespace pgci {

namespace {

std::vector<std::string> primary_key(const Target &target) {
    std::vector<std::string> key;
    for (const TextRow &row :
         select_rows("SELECT a.attname FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_attribute AS a ON a.attrelid "
                     "OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) ANY "
                     "(i.indkey::pg_catalog.int2[]) WHERE i.indisprimary AND i.indrelid OPERATOR(pg_catalog.=) "
                     "$1::pg_catalog.oid",
                     {std::to_string(target.oid())}))
        key.push_back(*row[0]);
    return key;
}

bool has_all(const std::vector<SourceColumn> &columns, const std::vector<std::string> &names) {
    return std::all_of(names.begin(), names.end(), [&](const std::string &name) {
        return std::any_of(columns.begin(), columns.end(), [&](const SourceColumn &c) { return c.name == name; });
    });
}

// Returns the columns that identify a row; empty if there are none.
std::vector<std::string> key_of(const PreparedRun &run) {
    if (run.request().key_columns) {
        for (const std::string &name : *run.request().key_columns)
            if (run.target().find_column(name) == nullptr || !has_all(run.columns(), {name}))
                raise(sqlstate::undefined_column, "key column \"" + name + "\" is not in both source and target",
                      "Pass other key_columns, or leave them out for the primary key.");
        return *run.request().key_columns;
    }
    std::vector<std::string> key = primary_key(run.target());
    if (!has_all(run.columns(), key)) key.clear();
    return key;
}

// Issues a NOTICE that names the target's columns of which the query returns nothing to compare.
void tell_not_compared(const PreparedRun &run) {
    const std::vector<SourceColumn> compared = map_by_name(run.columns(), run.target(), "query");
    std::vector<std::string> others;
    for (const TargetColumn &column : run.target().columns())
        if (!has_all(compared, {column.name})) others.push_back(column.name);
    if (others.empty()) return;
    const std::string names = shorten_list(others);
    pg_call([&] {
        ereport(NOTICE,
                errmsg_plural("column %s of %s is not compared", "columns %s of %s are not compared", others.size(),
                              names.c_str(), run.target().name().c_str()),
                errdetail("The source has no values for them, or the target generates them."));
    });
}

} // namespace

std::vector<TextRow> verify_window(const CopyRequest &request) {
    PreparedRun run(request, TargetUse::look);
    run.open();
    const std::vector<std::string> key = key_of(run);
    Comparison comparison = run.comparison(key);
    tell_not_compared(run);
    const auto [source, target] = comparison.checksums();
    Differences differences;
    if (!(source == target)) differences = find_differences(comparison, std::stoll(source.rows), !key.empty(), nullptr);
    const auto text = [](std::int64_t number) { return std::optional(std::to_string(number)); };
    return {{source == target ? "true" : "false", source.rows, target.rows, text(differences.missing),
             text(differences.extra), key.empty() ? std::nullopt : text(differences.changed)}};
}

void find_different_rows(const CopyRequest &request, const DifferenceSink &sink) {
    PreparedRun run(request, TargetUse::look);
    run.open();
    const std::vector<std::string> key = key_of(run);
    Comparison comparison = run.comparison(key);
    tell_not_compared(run);
    const auto [source, target] = comparison.checksums();
    if (source == target) return;
    // The source was asked for JSON, so anything else is a protocol violation.
    const DifferenceSink checked = [&](const char *difference, const std::string &row_key) {
        try {
            sink(difference, row_key);
        } catch (const PgError &error) {
            const int category = ERRCODE_TO_CATEGORY(error.data()->sqlerrcode);
            if (category != ERRCODE_DATA_EXCEPTION && category != ERRCODE_PROGRAM_LIMIT_EXCEEDED) throw;
            comparison.raise_contradiction("a key that is not readable JSON");
        }
    };
    find_differences(comparison, std::stoll(source.rows), !key.empty(), checked);
}

} // namespace pgci
