#include "target/target_slice.hpp"

#include "server/guard.hpp"
#include "server/settings.hpp"
#include "server/shown_text.hpp"
#include "server/spi.hpp"
#include "server/text_rows.hpp"
#include "template/parse_tree.hpp"
#include "target/base_table.hpp"

namespace pgci {

namespace {

// What may leave rows in the slice, by name.
struct Risks {
    std::vector<std::string> of_delete{};    // while the DELETE is executed
    std::vector<std::string> after_insert{}; // AFTER triggers of the DELETE, which fire at the end of the run
};

// A table without triggers and rules, and so are its partitions. Takes no locks.
bool is_plain(Oid target) {
    return pg_call([=] {
        const List *const relations = find_all_inheritors(target, NoLock, nullptr);
        bool plain = true;
        for (int i = 0; plain && i < list_length(relations); ++i) {
            const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(list_nth_oid(relations, i)));
            if (!HeapTupleIsValid(tuple)) continue;
            const auto *const form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
            plain = (form->relkind == RELKIND_RELATION || form->relkind == RELKIND_PARTITIONED_TABLE) &&
                    !form->relhastriggers && !form->relhasrules;
            ReleaseSysCache(tuple);
        }
        return plain;
    });
}

// Finds triggers, rules and foreign tables of the target, its partitions and, if it is a view, the tables that it reads.
// Foreign keys are no risk.
Risks find_risks(const Target &target) {
    Risks risks;
    if (is_plain(target.oid())) return risks;
    for (const TextRow &row : select_rows(
             "WITH RECURSIVE parts(oid) AS (SELECT $1::pg_catalog.oid UNION SELECT next.oid FROM parts AS p, LATERAL "
             "(SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent OPERATOR(pg_catalog.=) p.oid UNION "
             "ALL SELECT d.refobjid FROM pg_catalog.pg_rewrite AS w JOIN pg_catalog.pg_depend AS d ON d.objid "
             "OPERATOR(pg_catalog.=) w.oid AND d.classid OPERATOR(pg_catalog.=) "
             "'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.refclassid OPERATOR(pg_catalog.=) "
             "'pg_catalog.pg_class'::pg_catalog.regclass WHERE w.ev_class OPERATOR(pg_catalog.=) p.oid AND w.rulename "
             "OPERATOR(pg_catalog.=) '_RETURN') AS next(oid)) SELECT pg_catalog.format(k.what, n.nspname, c.relname, "
             "k.name), k.is_late FROM parts AS p JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) p.oid "
             "JOIN "
             "pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace JOIN LATERAL (SELECT "
             "'trigger %3$I of %1$I.%2$I' AS what, t.tgname AS name, "
             // Neither BEFORE nor INSTEAD.
             "(t.tgtype::pg_catalog.int4 OPERATOR(pg_catalog.&) 66) OPERATOR(pg_catalog.=) 0 AS is_late FROM "
             "pg_catalog.pg_trigger AS t WHERE t.tgrelid "
             "OPERATOR(pg_catalog.=) p.oid AND t.tgenabled OPERATOR(pg_catalog.<>) 'D' AND "
             // DELETE.
             "(t.tgtype::pg_catalog.int4 OPERATOR(pg_catalog.&) 8) OPERATOR(pg_catalog.<>) 0 AND NOT EXISTS (SELECT "
             "FROM pg_catalog.pg_constraint AS f WHERE f.oid OPERATOR(pg_catalog.=) t.tgconstraint AND f.contype "
             "OPERATOR(pg_catalog.=) 'f') UNION ALL SELECT 'rule %3$I of %1$I.%2$I', w.rulename, false FROM "
             "pg_catalog.pg_rewrite AS w WHERE w.ev_class OPERATOR(pg_catalog.=) p.oid AND w.ev_type "
             "OPERATOR(pg_catalog.=) '4' AND w.ev_enabled OPERATOR(pg_catalog.<>) 'D' UNION ALL SELECT "
             "'foreign table %1$I.%2$I (look at the server that has its rows)', '', false WHERE c.relkind "
             "OPERATOR(pg_catalog.=) 'f') AS k ON true ORDER BY 1",
             {std::to_string(target.oid())}))
        (row[1] == "t" ? risks.after_insert : risks.of_delete).push_back(row[0].value_or(""));
    return risks;
}

// The planner reads the count as it reads the DELETE, by the same index; for EXISTS it would expect to find a row soon,
// and read the whole table.
std::int64_t count_slice(const LoadStatements &statements, const Target &target) {
    return pg_call([sql = statements.left.c_str(), used = target.used_for(ACL_SELECT)] {
        spi_connect();
        spi_execute(spi_prepare(sql, used), used);
        bool is_null = false;
        const auto count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
        spi_finish();
        return count;
    });
}

void check_is_empty(const LoadStatements &statements, const Target &target) {
    const std::vector<std::string> keepers = find_risks(target).of_delete;
    if (keepers.empty()) return;
    const std::int64_t rows = count_slice(statements, target);
    if (rows == 0) return;
    raise(sqlstate::outside_slice,
          "DELETE of mode replace left " + std::to_string(rows) + (rows == 1 ? " row of " : " rows of ") +
              (statements.checks_slice ? "the slice in " : "") + target.name(),
          "Look at " + shorten_list(keepers) + ". Exclude the rows that it keeps with replace_where, or disable it.",
          "The rows of the source would be added to those that are left.");
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

void check_slice_after(const LoadStatements &statements, const Target &target, const TimeZone &zone,
                       std::int64_t written) {
    if (statements.remove.empty()) return;
    const std::vector<std::string> triggers = find_risks(target).after_insert;
    const bool is_filter = is_filter_written_by_triggers(target);
    if (triggers.empty() && !is_filter) return;
    const int settings = pg_call([name = zone.name()] {
        const int level = NewGUCNestLevel();
        set_for_level("TimeZone", name);
        return level;
    });
    const std::int64_t rows = count_slice(statements, target);
    pg_call([=] { AtEOXact_GUC(true, settings); });
    if (is_filter && rows < written)
        raise(sqlstate::outside_slice,
              "view " + target.name() + " shows only " + std::to_string(rows) + " of the " + std::to_string(written) +
                  " rows that mode replace has written",
              "Select only rows in the query that the view shows, or name the table that it reads.",
              "The next run would insert the other rows again, because it deletes only rows that the view shows.");
    if (triggers.empty() || rows <= written) return;
    raise(sqlstate::outside_slice,
          (statements.checks_slice ? "slice in " : "") + target.name() + " has " + std::to_string(rows) +
              (rows == 1 ? " row" : " rows") + " after mode replace has written " + std::to_string(written),
          "Look at " + shorten_list(triggers) + ". Exclude the rows that it adds with replace_where, or disable it.",
          "A trigger may have inserted rows that mode replace has deleted.");
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
                 ? errhint("Use the same condition in query_template and replace_where. With "
                           "window_column, the target must store the values of that column unchanged.")
                 : errhint("Give the target's column the precision of window_column at the source, or round "
                           "down in the query, as date_trunc() does.")));
    pg_unreachable();
}

} // namespace pgci
