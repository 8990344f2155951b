#include "target/target_slice.hpp"

#include "server/guard.hpp"
#include "server/spi.hpp"
#include "template/parse_tree.hpp"

namespace pgci {

std::int64_t delete_slice(const std::string &statement, const UsedRelation &target) {
    if (statement.empty()) return 0;
    const char *const sql = statement.c_str();
    return pg_call([=] {
        spi_connect();
        const SPIPlanPtr plan = spi_prepare(sql, target);
        // As for foreign keys, the newest snapshot finds the rows, and the transaction's snapshot checks them.
        const bool is_blind = IsolationUsesXactSnapshot();
        const Snapshot snapshot = is_blind ? GetLatestSnapshot() : InvalidSnapshot;
        const Snapshot crosscheck = is_blind ? GetTransactionSnapshot() : InvalidSnapshot;
        spi_execute(plan, target, snapshot, crosscheck);
        const auto deleted = static_cast<std::int64_t>(SPI_processed);
        spi_finish();
        return deleted;
    });
}

void raise_outside_slice(std::int64_t rows) {
    ereport(ERROR,
            (errcode(ERRCODE_WITH_CHECK_OPTION_VIOLATION),
             errmsg_plural(INT64_FORMAT " row of the source is outside of replace_where",
                           INT64_FORMAT " rows of the source are outside of replace_where",
                           static_cast<unsigned long>(rows), rows),
             errdetail("The next run would insert such rows again, because it deletes only rows inside the slice."),
             errhint("Make query_template and replace_where speak of the same rows. With window_column, "
                     "the target must store the values of that column unchanged.")));
    pg_unreachable();
}

Expr *parse_slice(const char *condition, Relation relation) {
    Node *const raw = expression_of(parse_expression(condition));

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
