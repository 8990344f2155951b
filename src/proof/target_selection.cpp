#include "proof/target_selection.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"
#include "server/sql_text.hpp"
#include "template/parse_tree.hpp"

namespace pgci {

namespace {

// The relations that a query names without a schema, and the names that its WITH clauses define.
struct WrittenRelations {
    List *relations = NIL; // RangeVar
    List *with_names = NIL;
};

bool collect_relations(Node *node, void *context) {
    auto *const written = static_cast<WrittenRelations *>(context);
    if (node == nullptr || IsA(node, LockingClause)) return false;
    if (IsA(node, RangeVar) && reinterpret_cast<RangeVar *>(node)->schemaname == nullptr)
        written->relations = lappend(written->relations, node);
    if (IsA(node, CommonTableExpr))
        written->with_names =
            lappend(written->with_names, makeString(reinterpret_cast<CommonTableExpr *>(node)->ctename));
    return raw_expression_tree_walker(node, compat::tree_walker(collect_relations), context);
}

bool has_name(const List *names, const char *name) {
    for (int i = 0; i < list_length(names); ++i)
        if (std::strcmp(strVal(list_nth(names, i)), name) == 0) return true;
    return false;
}

// A position in the text where a schema must be inserted.
struct Place {
    int position;
    const char *schema;
};

struct Places {
    Place *places;
    std::size_t count;
    bool has_expressions; // other than columns
};

// Ignores names that WITH defines, and relations that this server does not have; the analysis raises an error for
// those.
Places find_places(const char *sql, Oid target) {
    auto *const statement = static_cast<const RawStmt *>(linitial(parse_statements(sql)))->stmt;
    const auto *const select = reinterpret_cast<const SelectStmt *>(statement);
    WrittenRelations written;
    collect_relations(statement, &written);
    auto *const places =
        static_cast<Place *>(palloc(sizeof(Place) * static_cast<std::size_t>(list_length(written.relations) + 1)));
    std::size_t count = 0;
    for (int i = 0; i < list_length(written.relations); ++i) {
        const auto *const relation = static_cast<const RangeVar *>(list_nth(written.relations, i));
        const bool is_target = relation == linitial(select->fromClause);
        if (!is_target && has_name(written.with_names, relation->relname)) continue;
        const Oid found = is_target ? target : RangeVarGetRelid(relation, NoLock, true);
        const char *const schema = get_namespace_name(get_rel_namespace(found));
        if (schema != nullptr) places[count++] = {relation->location, schema};
    }
    return {places, count, select->whereClause != nullptr || select->sortClause != NIL};
}

} // namespace

TargetSelection select_by_query(const std::string &query, const Target &target) {
    const char *const sql = query.c_str();
    const Places found = pg_call([sql, oid = target.oid()] { return find_places(sql, oid); });
    std::sort(found.places, found.places + found.count,
              [](const Place &a, const Place &b) { return a.position > b.position; });
    std::string qualified = query;
    for (std::size_t i = 0; i < found.count; ++i)
        qualified.insert(static_cast<std::size_t>(found.places[i].position),
                         quote_identifier(found.places[i].schema) + ".");
    return {qualified, found.has_expressions ? NameSearch::catalog : NameSearch::session};
}

} // namespace pgci
