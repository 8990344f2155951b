#include "proof/catalog_check.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"
#include "server/named_relation.hpp"
#include "server/settings.hpp"
#include "server/subtransaction.hpp"
#include "server/user_text.hpp"
#include "proof/comparison_settings.hpp"

namespace pgci {

namespace {

// PostgreSQL code. The walkers stop at the first match.

struct Search {
    const Target &target;
    const char *found = nullptr;
};

bool found(void *context, const char *what, const char *why = "is not built in") {
    static_cast<Search *>(context)->found = psprintf("%s, which %s", what, why);
    return true;
}

// Returns whether initdb created the object: every server has it, and only a superuser can change it.
bool is_built_in(Oid object) { return object < FirstNormalObjectId; }

Oid element_or_itself(Oid type) {
    const Oid element = get_element_type(type);
    return OidIsValid(element) ? element : type;
}

// --- names as written, checked before the analysis, which calls the input functions of types

bool is_type_of_column(Oid type, const Target &target) {
    return std::any_of(target.columns().begin(), target.columns().end(),
                       [=](const TargetColumn &column) { return element_or_itself(column.type) == type; });
}

bool may_run_code(Oid written, const Target &target) {
    const Oid type = element_or_itself(written);
    const char kind = get_typtype(type);
    return !is_built_in(type) && kind != TYPTYPE_BASE && kind != TYPTYPE_ENUM && !is_type_of_column(type, target);
}

// A function name can also be the name of a type; the call is a cast then.
bool is_of_other_schema(List *name) {
    return list_length(name) > 1 && (list_length(name) > 2 || std::strcmp(strVal(linitial(name)), "pg_catalog") != 0);
}

bool names_outside(Node *node, void *context) {
    if (node == nullptr) return false;
    if (IsA(node, TypeName)) {
        const auto *const type = reinterpret_cast<const TypeName *>(node);
        const Oid oid = LookupTypeNameOid(nullptr, type, true);
        if (OidIsValid(oid) && may_run_code(oid, static_cast<const Search *>(context)->target))
            return found(context, psprintf("type %s", format_type_extended(oid, -1, FORMAT_TYPE_FORCE_QUALIFY)));
    }
    if (IsA(node, FuncCall) && is_of_other_schema(reinterpret_cast<FuncCall *>(node)->funcname))
        return found(context, psprintf("function %s", NameListToString(reinterpret_cast<FuncCall *>(node)->funcname)));
    return raw_expression_tree_walker(node, compat::tree_walker(names_outside), context);
}

// --- the result of the analysis

// Returns whether a function executes SQL in its argument, or reads a relation that the argument names.
bool runs_its_argument(Oid function) {
    const char *const name = get_func_name(function);
    return name != nullptr && (std::strstr(name, "_to_xml") != nullptr || std::strcmp(name, "ts_stat") == 0 ||
                               std::strcmp(name, "ts_rewrite") == 0);
}

bool function_is_outside(Oid function, void *context) {
    const char *const name = psprintf("function %s", format_procedure_qualified(function));
    if (!is_built_in(function)) return found(context, name);
    return runs_its_argument(function) && found(context, name, "runs what it is given");
}

bool operator_is_outside(Oid op, void *context) {
    return !is_built_in(op) && found(context, psprintf("operator %s", format_operator_qualified(op)));
}

bool collation_is_outside(Oid collation, void *context) {
    HeapTuple const tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for collation %u", collation);
    const auto *const form = reinterpret_cast<Form_pg_collation>(GETSTRUCT(tuple));
    const bool is_outside = form->collnamespace != PG_CATALOG_NAMESPACE;
    if (is_outside) found(context, psprintf("collation %s", NameStr(form->collname)));
    ReleaseSysCache(tuple);
    return is_outside;
}

// Returns whether an implicit cast leaves the built-in types, except from a domain to its base type. With such a cast,
// the analysis finds another operator or function than that of the type itself, which the source may have.
bool cast_is_outside(const Expr *argument, Oid result, CoercionForm form, void *context) {
    const Oid type = getBaseType(exprType(reinterpret_cast<const Node *>(argument)));
    return form == COERCE_IMPLICIT_CAST && !is_built_in(type) && type != getBaseType(result) &&
           found(context, psprintf("cast from %s to %s", format_type_extended(type, -1, FORMAT_TYPE_FORCE_QUALIFY),
                                   format_type_extended(result, -1, FORMAT_TYPE_FORCE_QUALIFY)));
}

Oid owner_of(Oid relation) {
    HeapTuple const tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for relation %u", relation);
    const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    return owner;
}

// Reading a relation can execute code of its owner: functions in a view or in expressions of an index.
bool relation_is_outside(const RangeTblEntry *entry, void *context) {
    if (entry->rtekind != RTE_RELATION || is_built_in(entry->relid)) return false;
    const Oid owner = owner_of(entry->relid);
    if (owner == owner_of(static_cast<const Search *>(context)->target.oid()) || owner == GetUserId() ||
        superuser_arg(owner))
        return false;
    return found(context,
                 psprintf("relation %s of role %s", qualified_name(entry->relid), GetUserNameFromId(owner, false)));
}

bool node_is_outside(Node *node, void *context) {
    switch (nodeTag(node)) {
    case T_RelabelType: {
        const auto *const relabel = reinterpret_cast<const RelabelType *>(node);
        return cast_is_outside(relabel->arg, relabel->resulttype, relabel->relabelformat, context);
    }
    case T_CoerceViaIO: { // uses the functions of types
        const auto *const coerce = reinterpret_cast<const CoerceViaIO *>(node);
        return cast_is_outside(coerce->arg, coerce->resulttype, coerce->coerceformat, context);
    }
    case T_CollateExpr:
        return collation_is_outside(reinterpret_cast<const CollateExpr *>(node)->collOid, context);
    case T_OpExpr:
    case T_DistinctExpr:
    case T_NullIfExpr:
        if (operator_is_outside(reinterpret_cast<const OpExpr *>(node)->opno, context)) return true;
        break;
    case T_ScalarArrayOpExpr:
        if (operator_is_outside(reinterpret_cast<const ScalarArrayOpExpr *>(node)->opno, context)) return true;
        break;
    default:
        break;
    }
    return check_functions_in_node(node, function_is_outside, context);
}

// Does not check operators that sort and group, nor functions of TABLESAMPLE and subscripts: they belong to operator
// classes or handlers, which only a superuser can create.
bool uses_outside(Node *node, void *context) {
    if (node == nullptr) return false;
    if (IsA(node, RangeTblEntry)) return relation_is_outside(reinterpret_cast<const RangeTblEntry *>(node), context);
    if (IsA(node, Query))
        return query_tree_walker(reinterpret_cast<Query *>(node), compat::tree_walker(uses_outside), context,
                                 QTW_EXAMINE_RTES_BEFORE);
    if (node_is_outside(node, context)) return true;
    return expression_tree_walker(node, compat::tree_walker(uses_outside), context);
}

void search(const char *sql, const char *zone, Search *context) {
    const int settings = begin_comparison_settings(zone, NameSearch::catalog);
    begin_reading();
    auto *const statement = static_cast<RawStmt *>(linitial(raw_parser(sql, RAW_PARSE_DEFAULT)));
    if (!names_outside(statement->stmt, context))
        uses_outside(reinterpret_cast<Node *>(compat::analyze(statement, sql)), context);
    AtEOXact_GUC(true, settings); // and nested levels
}

} // namespace

std::optional<std::string> find_not_built_in(const std::string &query, const Target &target, const char *zone) {
    const char *const sql = query.c_str();
    Search result{target};
    // The analysis raises these errors for objects that the source has and pg_catalog does not.
    const auto is_unknown_here = [](int code) {
        return ERRCODE_TO_CATEGORY(code) == ERRCODE_TO_CATEGORY(ERRCODE_SYNTAX_ERROR) &&
               code != ERRCODE_INSUFFICIENT_PRIVILEGE;
    };
    const auto search_here = [&] { pg_call([&] { search(sql, zone, &result); }); };
    const std::optional<RunFailure> failure =
        with_errors_in(query, [&] { return in_subtransaction(search_here, is_unknown_here); });
    if (failure)
        return "This server cannot analyze the query with the names of pg_catalog alone: " + failure->message + ".";
    if (result.found != nullptr) return std::string("The query uses ") + result.found + ".";
    return std::nullopt;
}

} // namespace pgci
