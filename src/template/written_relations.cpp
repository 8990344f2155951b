#include "template/written_relations.hpp"

#include "server/compat.hpp"

namespace pgci {

namespace {

// A name that WITH defines, and how many of the surrounding WITH clauses do.
struct WithName {
    char name[NAMEDATALEN];
    int definitions;
};

struct RelationWalk {
    List *relations = NIL; // RangeVar
    HTAB *with_names = nullptr;
};

WithName *find_name(const RelationWalk *walk, const char *name, HASHACTION action, bool *found) {
    return static_cast<WithName *>(hash_search(walk->with_names, name, action, found));
}

void define(const RelationWalk *walk, const CommonTableExpr *query) {
    bool is_old = false;
    WithName *const entry = find_name(walk, query->ctename, HASH_ENTER, &is_old);
    entry->definitions = is_old ? entry->definitions + 1 : 1;
}

bool is_defined(const RelationWalk *walk, const char *name) {
    const WithName *const entry = find_name(walk, name, HASH_FIND, nullptr);
    return entry != nullptr && entry->definitions > 0;
}

bool collect(Node *node, void *context);

CommonTableExpr *query_at(const WithClause *with, int place) {
    return static_cast<CommonTableExpr *>(list_nth(with->ctes, place));
}

// Without RECURSIVE, a query of WITH sees only the names that were defined before it.
void enter(const WithClause *with, RelationWalk *walk) {
    for (int i = 0; with->recursive && i < list_length(with->ctes); ++i) define(walk, query_at(with, i));
    for (int i = 0; i < list_length(with->ctes); ++i) {
        collect(query_at(with, i)->ctequery, walk);
        if (!with->recursive) define(walk, query_at(with, i));
    }
}

void leave(const WithClause *with, const RelationWalk *walk) {
    for (int i = 0; i < list_length(with->ctes); ++i)
        --find_name(walk, query_at(with, i)->ctename, HASH_FIND, nullptr)->definitions;
}

bool collect(Node *node, void *context) {
    CHECK_FOR_INTERRUPTS();
    auto *const walk = static_cast<RelationWalk *>(context);
    // Joins of joins are as deep as the text is long.
    for (; node != nullptr && IsA(node, JoinExpr); node = reinterpret_cast<JoinExpr *>(node)->larg) {
        collect(reinterpret_cast<JoinExpr *>(node)->rarg, context);
        collect(reinterpret_cast<JoinExpr *>(node)->quals, context);
    }
    if (node == nullptr || IsA(node, LockingClause)) return false;
    if (IsA(node, RangeVar)) {
        auto *const relation = reinterpret_cast<RangeVar *>(node);
        if (relation->schemaname != nullptr || !is_defined(walk, relation->relname))
            walk->relations = lappend(walk->relations, relation);
        return false;
    }
    if (!IsA(node, SelectStmt) || reinterpret_cast<SelectStmt *>(node)->withClause == nullptr)
        return raw_expression_tree_walker(node, compat::tree_walker(collect), context);
    SelectStmt rest = *reinterpret_cast<SelectStmt *>(node);
    const WithClause *const with = std::exchange(rest.withClause, nullptr);
    enter(with, walk);
    collect(reinterpret_cast<Node *>(&rest), walk);
    leave(with, walk);
    return false;
}

} // namespace

List *find_written_relations(Node *statement) {
    HASHCTL control{};
    control.keysize = NAMEDATALEN;
    control.entrysize = sizeof(WithName);
    control.hcxt = CurrentMemoryContext;
    RelationWalk walk;
    walk.with_names =
        hash_create("copy_incremental names of WITH", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
    collect(statement, &walk);
    return walk.relations;
}

} // namespace pgci
