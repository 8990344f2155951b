#include "target/base_table.hpp"

#include "server/guard.hpp"

namespace pgci {

namespace {

struct BaseTable {
    Oid table = InvalidOid;     // invalid if triggers or rules write
    Oid user = InvalidOid;      // whose privileges are checked for the table; invalid: the current user's
    Oid filtering = InvalidOid; // a view that takes rows which it does not show
};

bool writes_by_itself(Relation view) {
    if (view->trigdesc != nullptr && view->trigdesc->trig_insert_instead_row) return true;
    for (int i = 0; view->rd_rules != nullptr && i < view->rd_rules->numLocks; ++i)
        if (view->rd_rules->rules[i]->event != CMD_SELECT) return true;
    return view_query_is_auto_updatable(get_view_query(view), false) != nullptr;
}

// PostgreSQL code.
BaseTable find_base_table(Oid relation) {
    BaseTable base{.table = relation};
    bool is_checked = false; // by the check option of a view above
    while (get_rel_relkind(base.table) == RELKIND_VIEW) {
        const Relation view = relation_open(base.table, AccessShareLock);
        if (writes_by_itself(view)) {
            base.table = InvalidOid;
        } else {
            const Query *const query = get_view_query(view);
            is_checked = is_checked || RelationHasCascadedCheckOption(view);
            if (query->jointree->quals != nullptr && !is_checked && !RelationHasCheckOption(view))
                base.filtering = base.table;
            base.user = RelationHasSecurityInvoker(view) ? InvalidOid : view->rd_rel->relowner;
            const auto *const only = list_nth_node(RangeTblRef, query->jointree->fromlist, 0);
            base.table = list_nth_node(RangeTblEntry, query->rtable, only->rtindex - 1)->relid;
        }
        relation_close(view, NoLock);
    }
    return base;
}

} // namespace

void check_hides_no_rows(const Target &target, const char *what) {
    struct Found {
        const char *filtering;
        bool has_security;
    };
    const Found found = pg_call([oid = target.oid()] {
        const BaseTable base = find_base_table(oid);
        return Found{OidIsValid(base.filtering) ? qualified_name(base.filtering) : nullptr,
                     OidIsValid(base.table) && check_enable_rls(base.table, base.user, true) == RLS_ENABLED};
    });
    if (found.has_security)
        raise(sqlstate::feature_not_supported,
              std::string(what) + " cannot be used where row-level security applies to you",
              "Use mode append, skip or upsert, or a role with BYPASSRLS.",
              "Rows of " + target.name() + " that you may not see would remain and be duplicated.");
    if (found.filtering != nullptr)
        raise(sqlstate::feature_not_supported,
              std::string(what) + " cannot be used with view " + found.filtering +
                  ", which has a condition and no check option",
              "Run ALTER VIEW " + std::string(found.filtering) +
                  " SET (check_option = cascaded), or name the table that it reads.",
              "Rows that the view does not show would remain and be duplicated.");
}

bool is_filter_written_by_triggers(const Target &target) {
    if (!target.is_view()) return false;
    return pg_call([oid = target.oid()] {
        const Relation view = relation_open(oid, AccessShareLock);
        const bool is_filter = get_view_query(view)->jointree->quals != nullptr && writes_by_itself(view);
        relation_close(view, NoLock);
        return is_filter;
    });
}

bool writes_foreign_table(const Target &target) {
    return pg_call([oid = target.oid()] {
        const Oid table = find_base_table(oid).table;
        const List *const parts = OidIsValid(table) ? find_all_inheritors(table, NoLock, nullptr) : NIL;
        for (int i = 0; i < list_length(parts); ++i)
            if (get_rel_relkind(list_nth_oid(parts, i)) == RELKIND_FOREIGN_TABLE) return true;
        return false;
    });
}

} // namespace pgci
