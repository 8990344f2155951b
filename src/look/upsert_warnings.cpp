#include "look/upsert_warnings.hpp"

#include <algorithm>

#include "server/shown_text.hpp"
#include "server/text_rows.hpp"
#include "target/conflict_key.hpp"

namespace pgci {

namespace {

std::vector<std::string> first_column(const std::string &query, const Target &target) {
    std::vector<std::string> values;
    for (const TextRow &row : select_rows(query, {std::to_string(target.oid())})) values.push_back(row[0].value_or(""));
    return values;
}

// Triggers that are fired before a row is inserted or updated and may change it.
std::vector<std::string> find_changing_triggers(const Target &target) {
    return first_column(
        "SELECT DISTINCT t.tgname::pg_catalog.text FROM pg_catalog.pg_trigger AS t WHERE (t.tgrelid "
        "OPERATOR(pg_catalog.=) $1::pg_catalog.oid OR t.tgrelid OPERATOR(pg_catalog.=) ANY (SELECT p.relid FROM "
        "pg_catalog.pg_partition_tree($1::pg_catalog.oid) AS p)) AND NOT t.tgisinternal AND t.tgenabled "
        "OPERATOR(pg_catalog.<>) 'D' AND t.tgfoid OPERATOR(pg_catalog.<>) "
        "'pg_catalog.suppress_redundant_updates_trigger()'::pg_catalog.regprocedure::pg_catalog.oid AND "
        // ROW and BEFORE, and INSERT or UPDATE.
        "(t.tgtype::pg_catalog.int4 OPERATOR(pg_catalog.&) 3) OPERATOR(pg_catalog.=) 3 AND (t.tgtype::pg_catalog.int4 "
        "OPERATOR(pg_catalog.&) 20) OPERATOR(pg_catalog.<>) 0 ORDER BY 1",
        target);
}

// Columns of the key by which the target is partitioned. The others must identify a row by themselves for the warning.
std::vector<std::string> find_partition_columns(const Target &target, const std::vector<std::string> &key) {
    std::vector<std::string> columns = first_column(
        "SELECT a.attname FROM pg_catalog.pg_partitioned_table AS p JOIN pg_catalog.pg_attribute AS a ON a.attrelid "
        "OPERATOR(pg_catalog.=) p.partrelid AND a.attnum OPERATOR(pg_catalog.=) ANY (p.partattrs::pg_catalog.int2[]) "
        "WHERE p.partrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid",
        target);
    std::erase_if(columns,
                  [&](const std::string &column) { return std::find(key.begin(), key.end(), column) == key.end(); });
    if (columns.size() >= key.size()) columns.clear();
    return columns;
}

} // namespace

std::vector<std::string> find_upsert_warnings(const PreparedRun &run) {
    const CopyRequest &request = run.request();
    if (request.mode != Mode::upsert) return {};
    const Target &target = run.target();
    std::vector<std::string> warnings;
    const std::vector<std::string> key = request.key_columns ? *request.key_columns : find_primary_key(target.oid());
    if (const std::vector<std::string> columns = find_partition_columns(target, key); !columns.empty())
        warnings.push_back(
            "the key contains (" + shorten_list(columns) + "), by which " + target.name() +
            " is partitioned: if it changes at the source, the row is inserted again, and its old version "
            "remains");
    const std::vector<std::string> triggers = find_changing_triggers(target);
    if (!triggers.empty() && !request.update_columns)
        warnings.push_back("triggers of " + target.name() + " may change rows before they are stored (" +
                           shorten_list(triggers) +
                           "); if they change a column that the source sends, each run updates the row again; pass "
                           "update_columns with the columns that count");
    return warnings;
}

} // namespace pgci
