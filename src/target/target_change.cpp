#include "target/target_change.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"
#include "server/settings.hpp"
#include "server/shown_text.hpp"
#include "server/sql_text.hpp"
#include "server/text_rows.hpp"
#include "target/column_map.hpp"
#include "target/conversion.hpp"
#include "target/precision.hpp"

namespace pgci {

namespace {

// The views that use one of the columns, also of partitions, and the views that use these; in an order in which they can be
// dropped.
std::vector<std::string> find_views(const Target &target, const std::vector<std::string> &columns) {
    std::vector<std::string> views;
    for (const TextRow &row : select_rows(R"(WITH RECURSIVE used AS (
SELECT a.attrelid AS relation, a.attnum::pg_catalog.int4 AS number, 0 AS depth FROM pg_catalog.pg_attribute AS a
WHERE (a.attrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid OR a.attrelid OPERATOR(pg_catalog.=) ANY (
        SELECT p.relid FROM pg_catalog.pg_partition_tree($1::pg_catalog.oid) AS p))
    AND a.attname OPERATOR(pg_catalog.=) ANY ($2::pg_catalog.name[])
UNION SELECT r.ev_class, NULL, u.depth OPERATOR(pg_catalog.+) 1 FROM used AS u
JOIN pg_catalog.pg_depend AS d ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.refobjid OPERATOR(pg_catalog.=) u.relation AND (u.number IS NULL OR d.refobjsubid OPERATOR(pg_catalog.=) u.number)
    AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
JOIN pg_catalog.pg_rewrite AS r ON r.oid OPERATOR(pg_catalog.=) d.objid
    AND r.ev_class OPERATOR(pg_catalog.<>) u.relation
WHERE u.depth OPERATOR(pg_catalog.<) 100)
SELECT pg_catalog.format('%I.%I', n.nspname, v.relname) FROM used AS u
JOIN pg_catalog.pg_class AS v ON v.oid OPERATOR(pg_catalog.=) u.relation AND u.depth OPERATOR(pg_catalog.>) 0
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) v.relnamespace
GROUP BY v.oid, n.nspname, v.relname ORDER BY pg_catalog.max(u.depth) DESC, 1)",
                                          {std::to_string(target.oid()), array_literal(columns)}, true))
        views.push_back(*row[0]);
    return views;
}

// ALTER TYPE without COLLATE would give the column the collation of the type.
std::string collate_of(const TargetColumn &column, Oid type) {
    if (column.collation == pg_call([=] { return get_typcollation(type); })) return "";
    if (!OidIsValid(column.collation)) return "";
    return " COLLATE " + std::string(pg_call([oid = column.collation] {
               return DatumGetCString(DirectFunctionCall1(regcollationout, ObjectIdGetDatum(oid)));
           }));
}

// For messages.
std::string shown(const std::vector<std::string> &statements) { return shown_script(script_of(statements)); }

} // namespace

std::vector<std::string> TargetChange::statements() const {
    std::string alter = "ALTER TABLE " + table;
    for (const std::string &action : actions) alter += (&action == actions.data() ? " " : ", ") + action;
    std::vector<std::string> statements{alter};
    statements.insert(statements.end(), comments.begin(), comments.end());
    return statements;
}

void add_column(TargetChange &change, const NewColumn &column) {
    const std::string name = quote_if_needed(column.name);
    const std::string type = column.type.sql();
    change.actions.push_back("ADD COLUMN " + name + " " + type);
    change.described.push_back(shorten(column.name) + " " + type +
                               (column.type.is_same ? "" : " instead of " + column.source_type));
    if (column.comment)
        change.comments.push_back("COMMENT ON COLUMN " + change.table + "." + name + " IS " +
                                  quote_literal(*column.comment));
}

void change_type(TargetChange &change, const SourceColumn &from, const TargetColumn &into) {
    const std::string type = LocalType{from.type, from.typmod}.sql();
    change.actions.push_back("ALTER COLUMN " + quote_if_needed(into.name) + " TYPE " + type +
                             collate_of(into, from.type));
    change.widened.push_back(into.name);
    change.described.push_back(into.name + " from " + type_text(into.type, into.typmod) + " to " + type);
}

bool can_be_widened(const SourceColumn &from, const TargetColumn &into) {
    return from.type < first_unstable_oid && can_be_stored(from.type) &&
           pg_call([type = into.type] { return get_typtype(type) != TYPTYPE_DOMAIN; }) &&
           widens(into.type, into.typmod, from.type, from.typmod) &&
           !widens(from.type, from.typmod, into.type, into.typmod);
}

void check_owner(const Target &target, const std::vector<std::string> &statements) {
    if (pg_call([oid = target.oid()] { return compat::owns_relation(oid, GetUserId()); })) return;
    raise(sqlstate::insufficient_privilege, "must be owner of table " + target.name() + " to change it",
          "Let its owner run:\n" + shown(statements));
}

void check_change(const TargetChange &change, const Target &target) {
    const std::string columns = shorten_list(change.described);
    if (target.is_view())
        raise(sqlstate::wrong_object_type, "columns of view " + target.name() + " cannot be changed",
              "Change its table and the view, or name the columns in the query.", "The source has: " + columns + ".");
    check_owner(target, change.statements());
    if (change.widened.empty()) return;
    const std::vector<std::string> views = find_views(target, change.widened);
    if (views.empty()) return;
    raise(sqlstate::feature_not_supported,
          "columns of table " + target.name() + " cannot be changed because views use them",
          "Drop the views, run the following, and create the views again:\n" + shown(change.statements()),
          "The source has: " + columns + ". Views: " + shorten_list(views) + ".");
}

void execute_change(const std::vector<std::string> &statements) {
    const int level = pg_call([] {
        const int begun = NewGUCNestLevel();
        if (LockTimeout == 0) set_for_level("lock_timeout", "30s");
        return begun;
    });
    execute_definitions(statements);
    pg_call([=] { AtEOXact_GUC(true, level); });
}

} // namespace pgci
