#include "target/load_mode.hpp"

#include "server/guard.hpp"
#include "server/sql_text.hpp"
#include "target/conversion.hpp"

namespace pgci {

namespace {

// Returns the columns of the batch that the user may read in the target; a message may show these.
std::vector<std::string> readable_columns(const Target &target, const BatchRelation &batch) {
    std::vector<std::string> readable;
    for (const std::string &name : batch.columns)
        if (pg_call([oid = target.oid(), column = name.c_str()] {
                return pg_class_aclcheck(oid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
                       pg_attribute_aclcheck(oid, get_attnum(oid, column), GetUserId(), ACL_SELECT) == ACLCHECK_OK;
            }))
            readable.push_back(name);
    return readable;
}

// Checks the stored rows, after casts, defaults and triggers.
std::string returning_checks(const std::string &slice, const std::vector<std::string> &shown,
                             const std::vector<std::string> &key) {
    const std::string outside = slice.empty() ? "NULL::pg_catalog.text"
                                              : "CASE WHEN ((" + slice + "\n)) IS NOT TRUE THEN ROW(" +
                                                    list_names(shown) + ")::pg_catalog.text END";
    std::string null_key = key.empty() ? "false" : "";
    for (const std::string &column : key)
        null_key += (null_key.empty() ? "" : " OR ") + quote_identifier(column) + " IS NULL";
    return " RETURNING " + outside + " AS outside, " + null_key + " AS has_null_key";
}

// An explicit cast stores what the assignment of the INSERT stores, or does not match.
std::string find_came(const Target &target, const BatchRelation &batch, const std::vector<std::string> &shown) {
    std::string stored;
    for (const std::string &name : shown) {
        const TargetColumn &column = *target.find_column(name);
        stored += (stored.empty() ? "" : ", ") + (batch.alias + "." + quote_identifier(name)) +
                  "::" + qualified_type_name(column.type, column.typmod);
    }
    return "SELECT ROW(" + list_names(shown, batch.alias + ".") + ")::pg_catalog.text FROM " + batch.from +
           " WHERE ROW(" + stored + ")::pg_catalog.text OPERATOR(pg_catalog.=) $1 LIMIT 1";
}

} // namespace

void LoadStatements::return_rows() {
    if (!returns_checks()) insert += " RETURNING true";
}

LoadStatements build_statements(Mode mode, const Target &target, const BatchRelation &batch,
                                const std::optional<ConflictKey> &key, const std::string &slice, const Upsert *upsert) {
    const std::string rows =
        upsert != nullptr ? upsert->rows() : "SELECT " + batch.select_list() + " FROM " + batch.from;
    std::string insert =
        "INSERT INTO " + target.name() + (upsert != nullptr ? " AS " + upsert->target_alias() + " (" : " (") +
        list_names(batch.columns) + ")" + (batch.overrides_identity ? " OVERRIDING SYSTEM VALUE " : " ") + rows;
    LoadStatements statements;
    if (mode == Mode::skip) insert += " ON CONFLICT (" + list_names(key->columns) + ") DO NOTHING";
    if (upsert != nullptr) {
        insert += upsert->on_conflict();
        statements.order = upsert->order();
        statements.arbiters = key->indexes;
    }
    if (mode == Mode::replace) {
        const std::string where = slice.empty() ? "" : " WHERE (" + slice + "\n)";
        statements.remove = "DELETE FROM " + target.name() + where;
        statements.left = "SELECT pg_catalog.count(*) FROM " + target.name() + where;
    }
    statements.checks_slice = !slice.empty();
    if (key) statements.key = list_names(key->columns);
    statements.checks_key = key && key->has_nullable_columns && !key->nulls_conflict;
    statements.batch_function = batch.function;
    statements.insert = batch.with_list() + insert;
    if (!statements.returns_checks()) return statements;
    const std::vector<std::string> shown = readable_columns(target, batch);
    statements.insert +=
        returning_checks(slice, shown, statements.checks_key ? key->columns : std::vector<std::string>{});
    if (statements.checks_slice && batch.changes_values && !shown.empty())
        statements.came = find_came(target, batch, shown);
    return statements;
}

} // namespace pgci
