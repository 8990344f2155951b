#include "target/same_relation.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"

namespace pgci {

namespace {

struct Origin {
    Oid table;
    AttrNumber column;
};

// Follows a column of a view to the table from which the view selects it. Views may be nested, but not in circles.
Origin find_origin(Origin origin) {
    while (OidIsValid(origin.table) && get_rel_relkind(origin.table) == RELKIND_VIEW) {
        check_stack_depth();
        const Relation view = try_relation_open(origin.table, AccessShareLock);
        if (view == nullptr) return {InvalidOid, 0};
        const List *const columns = get_view_query(view)->targetList;
        const auto *const entry = origin.column >= 1 && origin.column <= list_length(columns)
                                      ? static_cast<const TargetEntry *>(list_nth(columns, origin.column - 1))
                                      : nullptr;
        origin = entry == nullptr ? Origin{InvalidOid, 0} : Origin{entry->resorigtbl, entry->resorigcol};
        relation_close(view, AccessShareLock);
    }
    return origin;
}

bool contains(Oid table, Oid part) {
    return table == part || list_member_oid(find_all_inheritors(table, NoLock, nullptr), part);
}

} // namespace

void check_not_itself(const SourceSession &source, const std::vector<SourceColumn> &columns, const Target &target) {
    if (!source.is_this_database()) return;
    const bool is_same = pg_call([&] {
        List *written = list_make1_oid(target.oid());
        // Columns of a view are never dropped.
        for (std::size_t i = 1; target.is_view() && i <= target.columns().size(); ++i)
            written = list_append_unique_oid(written, find_origin({target.oid(), static_cast<AttrNumber>(i)}).table);
        for (const SourceColumn &column : columns) {
            const Oid read = find_origin({column.table, static_cast<AttrNumber>(column.number)}).table;
            for (int i = 0; OidIsValid(read) && i < list_length(written); ++i)
                if (const Oid table = list_nth_oid(written, i);
                    OidIsValid(table) && (contains(table, read) || contains(read, table)))
                    return true;
        }
        return false;
    });
    if (is_same)
        raise(sqlstate::wrong_object_type, "cannot copy table " + target.name() + " onto itself",
              "The source is this database; pass another target.");
}

} // namespace pgci
