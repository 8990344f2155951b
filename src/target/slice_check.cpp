#include "target/slice_check.hpp"

#include "server/user_text.hpp"

namespace pgci {

Expr *parse_slice(const char *condition, Relation relation) {
    const int settings = begin_reading();
    const List *const statements = raw_parser(condition, RAW_PARSE_PLPGSQL_EXPR);
    AtEOXact_GUC(true, settings);
    const auto *const statement = static_cast<const RawStmt *>(linitial(statements));
    const auto *const select = reinterpret_cast<const SelectStmt *>(statement->stmt);
    Node *const raw = static_cast<ResTarget *>(linitial(select->targetList))->val;

    ParseState *const state = make_parsestate(nullptr);
    state->p_sourcetext = condition;
    ParseNamespaceItem *const item =
        addRangeTableEntryForRelation(state, relation, RowExclusiveLock, nullptr, false, false);
    addNSItemToQuery(state, item, false, true, true);
    Node *const expression = coerce_to_boolean(state, transformExpr(state, raw, EXPR_KIND_WHERE), "WHERE");
    if (state->p_hasSubLinks)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("method bulk does not support a subquery in replace_where"),
                        errhint("Use method => 'cursor'.")));
    assign_expr_collations(state, expression);
    free_parsestate(state);
    return expression_planner(reinterpret_cast<Expr *>(expression));
}

} // namespace pgci
