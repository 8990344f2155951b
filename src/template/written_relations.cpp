#include "template/written_relations.hpp"

#include "server/compat.hpp"

namespace pgci {

namespace {

struct Walk {
    List *relations = NIL;  // RangeVar
    List *with_names = NIL; // String: what WITH has defined here
};

bool defines(const List *names, const char *name) {
    for (int i = 0; i < list_length(names); ++i)
        if (std::strcmp(strVal(list_nth(names, i)), name) == 0) return true;
    return false;
}

List *with_name(const List *names, const CommonTableExpr *query) {
    return lappend(list_copy(names), makeString(query->ctename));
}

bool collect(Node *node, void *context);

// Without RECURSIVE, a query of WITH sees only the names that were defined before it.
void collect_with(const WithClause *with, Walk *walk) {
    const auto query_at = [&](int i) { return static_cast<CommonTableExpr *>(list_nth(with->ctes, i)); };
    for (int i = 0; with->recursive && i < list_length(with->ctes); ++i)
        walk->with_names = with_name(walk->with_names, query_at(i));
    for (int i = 0; i < list_length(with->ctes); ++i) {
        collect(query_at(i)->ctequery, walk);
        walk->with_names = with_name(walk->with_names, query_at(i));
    }
}

bool collect(Node *node, void *context) {
    auto *const walk = static_cast<Walk *>(context);
    if (node == nullptr || IsA(node, LockingClause)) return false;
    if (IsA(node, RangeVar)) {
        auto *const relation = reinterpret_cast<RangeVar *>(node);
        if (relation->schemaname != nullptr || !defines(walk->with_names, relation->relname))
            walk->relations = lappend(walk->relations, relation);
        return false;
    }
    if (!IsA(node, SelectStmt) || reinterpret_cast<SelectStmt *>(node)->withClause == nullptr)
        return raw_expression_tree_walker(node, compat::tree_walker(collect), context);
    List *const outer_names = walk->with_names;
    SelectStmt rest = *reinterpret_cast<SelectStmt *>(node);
    collect_with(rest.withClause, walk);
    rest.withClause = nullptr;
    collect(reinterpret_cast<Node *>(&rest), walk);
    walk->with_names = outer_names;
    return false;
}

} // namespace

List *find_written_relations(Node *statement) {
    Walk walk;
    collect(statement, &walk);
    return walk.relations;
}

} // namespace pgci
