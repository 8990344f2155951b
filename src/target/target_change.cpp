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

std::string quoted(const std::string &name) {
    return pg_call([text = name.c_str()] { return ::quote_identifier(text); });
}

// The views, also of partitions, that use one of the columns.
std::vector<std::string> find_views(const Target &target, const std::vector<std::string> &columns) {
    std::vector<std::string> views;
    for (const TextRow &row : select_rows(
             "SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, v.relname) FROM pg_catalog.pg_depend AS d JOIN "
             "pg_catalog.pg_rewrite AS r ON r.oid OPERATOR(pg_catalog.=) d.objid JOIN pg_catalog.pg_class AS v ON "
             "v.oid "
             "OPERATOR(pg_catalog.=) r.ev_class JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) "
             "v.relnamespace JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) d.refobjid AND "
             "a.attnum::pg_catalog.int4 OPERATOR(pg_catalog.=) d.refobjsubid WHERE d.classid OPERATOR(pg_catalog.=) "
             "'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.refclassid OPERATOR(pg_catalog.=) "
             "'pg_catalog.pg_class'::pg_catalog.regclass AND (d.refobjid OPERATOR(pg_catalog.=) $1::pg_catalog.oid OR "
             "d.refobjid OPERATOR(pg_catalog.=) ANY (SELECT p.relid FROM "
             "pg_catalog.pg_partition_tree($1::pg_catalog.oid) "
             "AS p)) AND a.attname OPERATOR(pg_catalog.=) ANY ($2::pg_catalog.name[]) AND v.oid "
             "OPERATOR(pg_catalog.<>) d.refobjid ORDER BY 1",
             {std::to_string(target.oid()), array_literal(columns)}, true))
        views.push_back(*row[0]);
    return views;
}

std::string script_of(const std::vector<std::string> &statements) {
    std::string script;
    for (const std::string &statement : statements) script += (script.empty() ? "" : " ") + statement + ";";
    return shorten(script, 900);
}

} // namespace

std::vector<std::string> TargetChange::statements() const {
    std::string alter = "ALTER TABLE " + table;
    for (const std::string &action : actions) alter += (&action == actions.data() ? " " : ", ") + action;
    std::vector<std::string> statements{alter};
    statements.insert(statements.end(), comments.begin(), comments.end());
    return statements;
}

void add_column(TargetChange &change, const NewColumn &column) {
    const std::string name = quoted(column.name);
    const std::string type = column.type.sql();
    change.actions.push_back("ADD COLUMN " + name + " " + type);
    change.described.push_back(shorten(column.name) + " " + type +
                               (column.type.is_same ? "" : " instead of " + column.source_type));
    if (column.comment)
        change.comments.push_back("COMMENT ON COLUMN " + change.table + "." + name + " IS " +
                                  quote_literal(*column.comment));
}

void change_type(TargetChange &change, const SourceColumn &from, const TargetColumn &into) {
    const std::string type = qualified_type_name(from.type, from.typmod);
    change.actions.push_back("ALTER COLUMN " + quoted(into.name) + " TYPE " + type);
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
          "Let its owner run " + script_of(statements));
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
          "Drop the views, run " + script_of(change.statements()) + " Then create the views again.",
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
