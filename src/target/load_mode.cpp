#include "target/load_mode.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "server/sql_text.hpp"

namespace pgci {

namespace {

// Returns "name, name, ..." with a prefix before each name.
std::string list_names(const std::vector<std::string> &names, const std::string &before = {}) {
    std::string list;
    for (const std::string &name : names) {
        if (!list.empty()) list += ", ";
        list += before + quote_identifier(name);
    }
    return list;
}

bool contains(const std::vector<std::string> &names, const std::string &name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

// Selects the last row of each key, because INSERT ... ON CONFLICT must not affect a row twice. Keys are compared as in
// the target's index. A key that contains NULL does not conflict, unless the index is NULLS NOT DISTINCT.
std::string last_of_each_key(const BatchRelation &batch, const ConflictKey &key) {
    const std::string ordinal = "ordered." + quote_identifier(batch.ordinal);
    std::string distinct;
    std::string any_null;
    for (std::size_t i = 0; i < key.columns.size(); ++i) {
        const std::string column = "ordered." + quote_identifier(key.columns[i]);
        distinct += (i == 0 ? "" : ", ") + column + key.conversions[i];
        any_null += (i == 0 ? "" : " OR ") + column + " IS NULL";
    }
    if (key.has_nullable_columns && !key.nulls_conflict)
        distinct += ", CASE WHEN " + any_null + " THEN " + ordinal + " END";
    return "SELECT DISTINCT ON (" + distinct + ") " + list_names(batch.columns, "ordered.") + " FROM (SELECT " +
           batch.select_list() + ", pg_catalog.row_number() OVER () AS " + quote_identifier(batch.ordinal) + " FROM " +
           batch.from + ") AS ordered ORDER BY " + distinct + ", " + ordinal + " DESC";
}

// Compares the stored form of rows: 1.0 and 1.00 differ, and no type needs an equality operator. Calls a function,
// because a distributing planner that deparses the statement turns an operator between rows into operators between
// columns.
std::string on_conflict_update(const BatchRelation &batch, const ConflictKey &key) {
    std::string set;
    std::vector<std::string> updated;
    for (const std::string &name : batch.columns) {
        if (contains(key.columns, name)) continue;
        updated.push_back(name);
        const std::string quoted = quote_identifier(name);
        set.append(set.empty() ? "" : ", ").append(quoted).append(" = excluded.").append(quoted);
    }
    const std::string on = " ON CONFLICT (" + list_names(key.columns) + ") DO ";
    if (updated.empty()) return on + "NOTHING";
    return on + "UPDATE SET " + set + " WHERE pg_catalog.record_image_ne(ROW(" + list_names(updated, "present.") +
           "), ROW(" + list_names(updated, "excluded.") + "))";
}

} // namespace

LoadStatements build_statements(Mode mode, const Target &target, const BatchRelation &batch,
                                const std::optional<ConflictKey> &key, const std::string &slice) {
    const bool dedupes = mode == Mode::upsert;
    const std::string rows =
        dedupes ? last_of_each_key(batch, *key) : "SELECT " + batch.select_list() + " FROM " + batch.from;
    std::string insert = "INSERT INTO " + target.name() + (dedupes ? " AS present (" : " (") +
                         list_names(batch.columns) + ")" +
                         (batch.overrides_identity ? " OVERRIDING SYSTEM VALUE " : " ") + rows;
    LoadStatements statements;
    if (mode == Mode::skip) insert += " ON CONFLICT (" + list_names(key->columns) + ") DO NOTHING";
    if (mode == Mode::upsert) insert += on_conflict_update(batch, *key);
    if (mode == Mode::replace) {
        statements.remove = "DELETE FROM " + target.name();
        if (!slice.empty()) {
            statements.remove += " WHERE (" + slice + "\n)";
            // Checks the stored row, after casts, defaults and triggers.
            statements.counts_outside = true;
            statements.insert = "WITH " + batch.with_list(true) + "inserted AS (" + insert + " RETURNING ((" + slice +
                                "\n)) IS TRUE AS inside) SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER "
                                "(WHERE NOT inside) FROM inserted";
            return statements;
        }
    }
    statements.insert = batch.with_list(false) + insert;
    return statements;
}

} // namespace pgci
