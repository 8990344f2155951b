#include "target/target_slice.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "server/spi.hpp"
#include "server/text_rows.hpp"
#include "template/parse_tree.hpp"

namespace pgci {

namespace {

// Returns what may keep rows of a DELETE: triggers, rules and foreign tables of the target, its partitions and, if it is
// a view, the tables that it reads.
std::vector<std::string> find_keepers(const Target &target) {
    std::vector<std::string> keepers;
    for (const TextRow &row : select_rows(
             "WITH RECURSIVE parts(oid) AS (SELECT $1::pg_catalog.oid UNION SELECT next.oid FROM parts AS p, LATERAL "
             "(SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent OPERATOR(pg_catalog.=) p.oid UNION "
             "ALL SELECT d.refobjid FROM pg_catalog.pg_rewrite AS w JOIN pg_catalog.pg_depend AS d ON d.objid "
             "OPERATOR(pg_catalog.=) w.oid AND d.classid OPERATOR(pg_catalog.=) "
             "'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.refclassid OPERATOR(pg_catalog.=) "
             "'pg_catalog.pg_class'::pg_catalog.regclass WHERE w.ev_class OPERATOR(pg_catalog.=) p.oid AND w.rulename "
             "OPERATOR(pg_catalog.=) '_RETURN') AS next(oid)) SELECT pg_catalog.format(k.what, n.nspname, c.relname, "
             "k.name) FROM parts AS p JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) p.oid JOIN "
             "pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace JOIN LATERAL (SELECT "
             "'trigger %3$I of %1$I.%2$I' AS what, t.tgname AS name FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid "
             "OPERATOR(pg_catalog.=) p.oid AND t.tgenabled OPERATOR(pg_catalog.<>) 'D' AND (t.tgtype::pg_catalog.int4 "
             // ROW and DELETE, and BEFORE or INSTEAD.
             "OPERATOR(pg_catalog.&) 9) OPERATOR(pg_catalog.=) 9 AND (t.tgtype::pg_catalog.int4 OPERATOR(pg_catalog.&) "
             "66) OPERATOR(pg_catalog.<>) 0 UNION ALL SELECT 'rule %3$I of %1$I.%2$I', w.rulename FROM "
             "pg_catalog.pg_rewrite AS w WHERE w.ev_class OPERATOR(pg_catalog.=) p.oid AND w.ev_type "
             "OPERATOR(pg_catalog.=) '4' AND w.is_instead AND w.ev_enabled OPERATOR(pg_catalog.<>) 'D' UNION ALL "
             "SELECT "
             "'foreign table %1$I.%2$I (look at the server that has its rows)', '' WHERE c.relkind "
             "OPERATOR(pg_catalog.=) 'f') AS k ON true ORDER BY 1",
             {std::to_string(target.oid())}))
        keepers.push_back(row[0].value_or(""));
    return keepers;
}

bool may_read_a_column(const Target &target) {
    return pg_call([oid = target.oid()] {
        return pg_class_aclcheck(oid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
               pg_attribute_aclcheck_all(oid, GetUserId(), ACL_SELECT, ACLMASK_ANY) == ACLCHECK_OK;
    });
}

[[noreturn]] void raise_left(std::int64_t rows, const Target &target, bool has_slice) {
    const std::vector<std::string> keepers = find_keepers(target);
    raise(sqlstate::outside_slice,
          "DELETE of mode replace left " + std::to_string(rows) + (rows == 1 ? " row of " : " rows of ") +
              (has_slice ? "the slice in " : "") + target.name(),
          keepers.empty() ? "Another session may have inserted them. Run it again."
                          : "Look at " + shorten_list(keepers) +
                                ". Exclude the rows that it keeps with replace_where, or disable it.",
          "The rows of the source would be added to those that are left, and be there twice.");
}

// The planner reads the count as it reads the DELETE, by the same index; for EXISTS it would expect to find a row soon,
// and read the whole table.
void check_is_empty(const LoadStatements &statements, const Target &target) {
    // A role that may delete a whole table without reading it cannot count.
    if (!may_read_a_column(target) && find_keepers(target).empty()) return;
    const auto left = pg_call([sql = statements.left.c_str(), used = target.used_for(ACL_SELECT)] {
        spi_connect();
        spi_execute(spi_prepare(sql, used), used);
        bool is_null = false;
        const auto count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
        spi_finish();
        return count;
    });
    if (left > 0) raise_left(left, target, statements.checks_slice);
}

} // namespace

std::int64_t delete_slice(const LoadStatements &statements, const Target &target) {
    if (statements.remove.empty()) return 0;
    const auto deleted = pg_call([sql = statements.remove.c_str(), used = target.used_for(ACL_DELETE)] {
        spi_connect();
        const SPIPlanPtr plan = spi_prepare(sql, used);
        // As for foreign keys, the newest snapshot finds the rows, and the transaction's snapshot checks them.
        const bool is_blind = IsolationUsesXactSnapshot();
        const Snapshot snapshot = is_blind ? GetLatestSnapshot() : InvalidSnapshot;
        const Snapshot crosscheck = is_blind ? GetTransactionSnapshot() : InvalidSnapshot;
        spi_execute(plan, used, snapshot, crosscheck);
        const auto processed = static_cast<std::int64_t>(SPI_processed);
        spi_finish();
        return processed;
    });
    check_is_empty(statements, target);
    return deleted;
}

void raise_outside_slice(const OutsideRows &rows) {
    constexpr int longest = 1000;
    StringInfoData detail;
    initStringInfo(&detail);
    appendStringInfoString(&detail, rows.is_replace
                                        ? "The next run would insert such rows again, because it deletes only rows "
                                          "inside the slice."
                                        : "A run that replaces the other window would delete them.");
    const auto add = [&](const char *what, const char *row) {
        if (row == nullptr) return;
        const int length = static_cast<int>(std::strlen(row));
        const int shown = pg_mbcliplen(row, length, longest);
        appendStringInfo(&detail, " %s: %.*s%s.", what, shown, row, shown < length ? "..." : "");
    };
    add("As it came", rows.came);
    add("As it would be stored", rows.stored);
    ereport(ERROR,
            (errcode(ERRCODE_WITH_CHECK_OPTION_VIOLATION),
             rows.is_replace ? errmsg_plural(INT64_FORMAT " row of the source is outside of replace_where",
                                             INT64_FORMAT " rows of the source are outside of replace_where",
                                             static_cast<unsigned long>(rows.count), rows.count)
                             : errmsg_plural(INT64_FORMAT " row of the source would be stored outside of its window",
                                             INT64_FORMAT " rows of the source would be stored outside of their window",
                                             static_cast<unsigned long>(rows.count), rows.count),
             errdetail_internal("%s", detail.data),
             rows.is_replace
                 ? errhint("Make query_template and replace_where speak of the same rows. With "
                           "window_column, the target must store the values of that column unchanged.")
                 : errhint("Give the target's column the precision of window_column at the source, or round "
                           "down in the query, as date_trunc() does.")));
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
