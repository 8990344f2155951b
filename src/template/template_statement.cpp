#include "template/template_statement.hpp"

#include "server/subtransaction.hpp"
#include "server/user_text.hpp"
#include "template/parse_tree.hpp"
#include "template/written_relations.hpp"

namespace pgci {

namespace {

bool is_write(const Node *statement) {
    return IsA(statement, InsertStmt) || IsA(statement, UpdateStmt) || IsA(statement, DeleteStmt) ||
           IsA(statement, MergeStmt);
}

StatementKind kind_of(const Node *statement) {
    if (is_write(statement)) return StatementKind::writes;
    if (!IsA(statement, SelectStmt)) return StatementKind::other;
    const auto *const select = reinterpret_cast<const SelectStmt *>(statement);
    if (select->intoClause != nullptr) return StatementKind::other;
    if (select->withClause != nullptr)
        for (int i = 0; i < list_length(select->withClause->ctes); ++i) {
            const auto *const cte = static_cast<const CommonTableExpr *>(list_nth(select->withClause->ctes, i));
            if (is_write(cte->ctequery)) return StatementKind::writes;
        }
    return StatementKind::query;
}

// Returns whether WITH defines a query of this name.
bool defines(const WithClause *with, const char *name) {
    for (int i = 0; with != nullptr && i < list_length(with->ctes); ++i)
        if (std::strcmp(static_cast<const CommonTableExpr *>(list_nth(with->ctes, i))->ctename, name) == 0) return true;
    return false;
}

// Returns the relation if FROM consists of one; null for a join, subquery, function, query of WITH, VALUES or UNION.
const RangeVar *only_relation_of(const SelectStmt *select) {
    if (list_length(select->fromClause) != 1) return nullptr;
    const auto *item = static_cast<const Node *>(linitial(select->fromClause));
    if (IsA(item, RangeTableSample)) item = reinterpret_cast<const RangeTableSample *>(item)->relation;
    if (!IsA(item, RangeVar)) return nullptr;
    const auto *const relation = reinterpret_cast<const RangeVar *>(item);
    if (relation->schemaname == nullptr && defines(select->withClause, relation->relname)) return nullptr;
    return relation;
}

// Returns whether the item is a column or *, without an alias.
bool is_own_name(const ResTarget *item) {
    if (!IsA(item->val, ColumnRef) || item->indirection != NIL) return false;
    if (item->name == nullptr) return true;
    auto *const last = static_cast<Node *>(llast(reinterpret_cast<const ColumnRef *>(item->val)->fields));
    return IsA(last, String) && std::strcmp(strVal(last), item->name) == 0;
}

bool is_plain(const SelectStmt *select) {
    if (select->op != SETOP_NONE || select->valuesLists != NIL || select->withClause != nullptr ||
        select->distinctClause != NIL || select->groupClause != NIL || select->havingClause != nullptr ||
        select->windowClause != NIL || select->limitCount != nullptr || select->limitOffset != nullptr ||
        select->lockingClause != NIL || list_length(select->fromClause) != 1 ||
        !IsA(linitial(select->fromClause), RangeVar))
        return false;
    for (int i = 0; i < list_length(select->targetList); ++i)
        if (!is_own_name(static_cast<const ResTarget *>(list_nth(select->targetList, i)))) return false;
    return true;
}

WrittenName name_of(const RangeVar *relation) {
    return {relation->schemaname != nullptr ? relation->schemaname : "", relation->relname};
}

} // namespace

bool selects_plainly(const std::string &text) {
    const char *const sql = text.c_str();
    return pg_call([=] {
        const List *const statements = parse_statements(sql);
        return is_plain(reinterpret_cast<const SelectStmt *>(static_cast<const RawStmt *>(linitial(statements))->stmt));
    });
}

StatementKind kind_of_statement(const std::string &text) {
    const char *const sql = text.c_str();
    return with_errors_in(text, [=] {
        return pg_call([=] { return kind_of(static_cast<const RawStmt *>(linitial(parse_statements(sql)))->stmt); });
    });
}

QueryFacts check_statement(const std::string &text) {
    const char *const sql = text.c_str();
    const MemoryContext memory = CurrentMemoryContext;
    List *statements = NIL;
    const auto parse_here = [&] {
        pg_call([&] {
            MemoryContextSwitchTo(memory);
            statements = parse_statements(sql);
        });
    };
    // A newer source may accept syntax that this server's parser does not know.
    const auto is_of_syntax = [](int code) {
        return ERRCODE_TO_CATEGORY(code) == ERRCODE_TO_CATEGORY(ERRCODE_SYNTAX_ERROR);
    };
    const bool parsed = with_errors_in(text, [&] { return !in_subtransaction(parse_here, is_of_syntax); });
    if (!parsed || list_length(statements) != 1) return {};

    const Node *const statement = static_cast<const RawStmt *>(linitial(statements))->stmt;
    switch (kind_of(statement)) {
    case StatementKind::writes:
        raise(sqlstate::read_only_transaction, "query template must not write at the source",
              "It must be a single SELECT, VALUES or TABLE statement; the source is only read.");
    case StatementKind::other:
        raise(sqlstate::syntax_error, "query template must be a single SELECT, VALUES or TABLE statement",
              "Commands such as COPY, SHOW, CALL or SELECT INTO cannot be read through a cursor.");
    case StatementKind::query:
        break;
    }
    const auto *const select = reinterpret_cast<const SelectStmt *>(statement);
    QueryFacts facts{.is_limited = select->limitCount != nullptr || select->limitOffset != nullptr,
                     .is_grouped = select->groupClause != NIL};
    if (const RangeVar *const relation = only_relation_of(select); relation != nullptr)
        facts.only_relation = name_of(relation);
    const List *const relations =
        pg_call([=] { return find_written_relations(static_cast<const RawStmt *>(linitial(statements))->stmt); });
    for (int i = 0; i < list_length(relations); ++i)
        facts.relations.push_back(name_of(static_cast<const RangeVar *>(list_nth(relations, i))));
    return facts;
}

} // namespace pgci
